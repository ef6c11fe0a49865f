"""What can be said of each layer of a net without running it: sizes, costs, what it sees, whether it learns."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

from google.protobuf.message import Message

from caffe_compat.layers.base import Reach, Shape
from caffe_compat.proto import caffe_pb2
from caffe_compat.view.net_graph import NetGraph, Place

#: Bytes of a float32 value.
VALUE = 4


@dataclass(frozen=True)
class Sight:
    """What one place of a blob sees of the net's input along an axis, in input places; None sees everything.

    `step` is how far apart in the input the centres of two neighbouring places lie.
    """

    span: int | None = 1
    step: int = 1


@dataclass(frozen=True)
class ShownField:
    """A field of a layer's message: its path, its value as text, and whether the net's text sets it."""

    name: str
    value: str
    is_set: bool


@dataclass(frozen=True)
class LayerFacts:
    """One layer. `memory` is the bytes of its tops in float32, 0 where it writes its bottom anew."""

    name: str
    type: str
    bottoms: Sequence[str]
    tops: Sequence[str]
    bottom_shapes: Sequence[Shape]
    top_shapes: Sequence[Shape]
    blob_shapes: Sequence[Shape]
    parameters: int
    multiply_adds: int
    memory: int
    sight: Sight
    lr_mults: Sequence[float]
    fields: Sequence[ShownField]
    note: str

    @property
    def learns(self) -> bool:
        """Whether any of its blobs has a learning rate above 0."""
        return any(self.lr_mults)

    @property
    def is_in_place(self) -> bool:
        """Whether its first top is its first bottom."""
        return bool(self.bottoms) and list(self.bottoms[:1]) == list(self.tops[:1])


def layer_facts(graph: NetGraph) -> list[LayerFacts]:
    """The facts of every layer, in the net's order."""
    sights: dict[str, Sight] = {}
    facts = []
    for place in graph.places:
        sight = _sight(place, [sights.get(bottom, Sight()) for bottom in place.parameter.bottom])
        sights.update(dict.fromkeys(place.parameter.top, sight))
        facts.append(_facts(place, sight))
    return facts


def _facts(place: Place, sight: Sight) -> LayerFacts:
    parameter, layer = place.parameter, place.step.layer if place.step else None
    blobs = [tuple(blob.shape) for blob in layer.blobs] if layer else []
    new_tops = [
        shape for top, shape in zip(parameter.top, place.top_shapes, strict=False) if top not in parameter.bottom
    ]
    return LayerFacts(
        name=parameter.name,
        type=parameter.type,
        bottoms=list(parameter.bottom),
        tops=list(parameter.top),
        bottom_shapes=place.bottom_shapes,
        top_shapes=place.top_shapes,
        blob_shapes=blobs,
        parameters=sum(map(prod, blobs)),
        multiply_adds=layer.multiply_adds(place.bottom_shapes, place.top_shapes) if layer else 0,
        memory=VALUE * sum(map(prod, new_tops)),
        sight=sight,
        lr_mults=_lr_mults(place, len(blobs)),
        fields=list(_fields(place)),
        note=place.note,
    )


def _lr_mults(place: Place, blobs: int) -> list[float]:
    """For each blob; statistics that no gradient reaches have 0 whatever the prototxt says."""
    given = [param.lr_mult for param in place.parameter.param] + [1.0] * blobs
    fixed = place.step.layer.fixed_blobs if place.step else frozenset()
    return [0.0 if index in fixed else given[index] for index in range(blobs)]


def _sight(place: Place, below: Sequence[Sight]) -> Sight:
    """The widest sight of the bottoms, through the layer's own window."""
    if not below:
        return Sight()
    if any(sight.span is None for sight in below):
        return Sight(None)
    widest = max(below, key=lambda sight: sight.span or 0)
    reach = _reach(place)
    if reach is None or widest.span is None:
        return Sight(None)
    return Sight(widest.span + (reach.span - 1) * widest.step, widest.step * reach.stride)


def _reach(place: Place) -> Reach | None:
    """The layer's window; None where the top no longer has the places of its bottom (Reduction, Flatten ...)."""
    if place.step is None or not place.top_shapes:
        return Reach()
    sizes = tuple(place.bottom_shapes[0][2:])
    reach = place.step.layer.reach(sizes)
    keeps_places = tuple(place.top_shapes[0][2:]) == sizes
    return reach if keeps_places or reach != Reach() else None


def _fields(place: Place) -> Iterator[ShownField]:
    """What the net's text sets, then what the layer's own messages add by their defaults."""
    parameter = place.parameter
    for descriptor, value in parameter.ListFields():
        if descriptor.name.endswith("_param"):
            yield from _message_fields(descriptor.name, value)
    if place.step:
        yield from _defaults(place)


def _message_fields(path: str, message: Message) -> Iterator[ShownField]:
    for descriptor, value in message.ListFields():
        yield from _field(f"{path}.{descriptor.name}", descriptor, value)


def _field(path: str, descriptor: Any, value: Any) -> Iterator[ShownField]:
    if isinstance(value, Message):
        yield from _message_fields(path, value)
    else:
        yield ShownField(path, _text(descriptor, value), True)


def _defaults(place: Place) -> Iterator[ShownField]:
    """The fields that the layer read although nobody set them."""
    for reader in place.step.layer.spec.readers if place.step else ():
        for name in sorted(reader.honoured()):
            message_name, _, field = name.partition(".")
            message = getattr(place.parameter, message_name)
            descriptor = message.DESCRIPTOR.fields_by_name.get(field)
            if descriptor is None or descriptor.message_type is not None or _is_set(message, field):
                continue
            value = getattr(message, field)
            if isinstance(value, (int, float, bool, str)):
                yield ShownField(name, _text(descriptor, value), False)


def _is_set(message: Message, field: str) -> bool:
    return any(descriptor.name == field for descriptor, _ in message.ListFields())


def _text(descriptor: Any, value: Any) -> str:
    if descriptor.enum_type is not None and isinstance(value, int):
        return str(descriptor.enum_type.values_by_number[value].name)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, (int, str)):
        return str(value)
    return ", ".join(f"{item:g}" if isinstance(item, float) else str(item) for item in value)


def totals(facts: Sequence[LayerFacts]) -> dict[str, int]:
    """Layers, parameters, multiply-adds of a forward pass, and bytes of all tops."""
    return {
        "layers": len(facts),
        "parameters": sum(fact.parameters for fact in facts),
        "multiply_adds": sum(fact.multiply_adds for fact in facts),
        "memory": sum(fact.memory for fact in facts),
    }


def phases(net: caffe_pb2.NetParameter) -> list[str]:
    """The phases that the net's layers speak of; TEST alone where they speak of none."""
    rules = [rule for layer in net.layer for rule in (*layer.include, *layer.exclude)]
    named = {caffe_pb2.Phase.Name(rule.phase) for rule in rules if rule.HasField("phase")}
    return ["TRAIN", "TEST"] if named else ["TEST"]
