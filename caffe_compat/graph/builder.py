"""From a NetParameter to steps, in Caffe's order (Net::Init): layers are selected, Splits inserted, layers created.

`filter_net` selects the layers of a state, `insert_splits` gives each reader of a blob its own copy, and GraphBuilder
creates layers and computes shapes. GraphBuilder is the only caller of `create_layer`. Running nets, converted models,
walks over shapes and single layers under test are all built here, so a prototxt has one meaning everywhere.
"""

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial

import torch
from torch import nn

from caffe_compat.errors import GraphError
from caffe_compat.graph.wiring import Step, Value, Wiring
from caffe_compat.layers.base import Layer, LayerSpec, Shape
from caffe_compat.layers.new_blobs import MemoryBudget
from caffe_compat.layers.registry import create_layer
from caffe_compat.proto import caffe_pb2
from caffe_compat.proto.caffe_pb2 import LayerParameter


def filter_net(net: caffe_pb2.NetParameter, state: caffe_pb2.NetState) -> caffe_pb2.NetParameter:
    """Returns a copy of the net with only the layers that the state includes."""
    filtered = caffe_pb2.NetParameter()
    filtered.CopyFrom(net)
    filtered.state.CopyFrom(state)
    del filtered.layer[:]
    filtered.layer.extend(layer for layer in net.layer if is_included(layer, state))
    return filtered


def is_included(layer: caffe_pb2.LayerParameter, state: caffe_pb2.NetState) -> bool:
    """Whether the state includes the layer.

    With include rules, at least one must hold. With exclude rules, none may hold. GraphError if a layer has both.
    """
    if layer.include and layer.exclude:
        raise GraphError(
            f"layer '{layer.name}' ({layer.type}): expected either include or exclude rules, found both; "
            "say the same with one kind"
        )
    if layer.include:
        return any(meets(state, rule) for rule in layer.include)
    return not any(meets(state, rule) for rule in layer.exclude)


def meets(state: caffe_pb2.NetState, rule: caffe_pb2.NetStateRule) -> bool:
    """Whether the state meets the rule: its phase, its range of levels, all of its stages and none of `not_stage`."""
    stages = set(state.stage)
    return (
        (not rule.HasField("phase") or rule.phase == state.phase)
        and (not rule.HasField("min_level") or state.level >= rule.min_level)
        and (not rule.HasField("max_level") or state.level <= rule.max_level)
        and stages.issuperset(rule.stage)
        and stages.isdisjoint(rule.not_stage)
    )


def insert_splits(net: caffe_pb2.NetParameter) -> caffe_pb2.NetParameter:
    """Returns a copy of the net in which every blob has at most one reader; a loss weight counts as a reader."""
    wiring = _require_connected(net)
    weights = _written_loss_weights(net)
    uses = {top: len(readers) + (weights[top] != 0) for top, readers in wiring.uses.items()}
    split = caffe_pb2.NetParameter()
    split.CopyFrom(net)
    del split.layer[:]
    taken: Counter[Value] = Counter()
    for index, original in enumerate(net.layer):
        layer = split.layer.add()
        layer.CopyFrom(original)
        for position, blob in enumerate(original.bottom):
            source = wiring.sources[index][position]
            if source is not None and uses[source] > 1:
                layer.bottom[position] = _split_name(net, source, blob) + f"_{taken[source]}"
                taken[source] += 1
        for position, blob in enumerate(original.top):
            top = (index, position)
            if uses[top] > 1:
                _add_split(split, _split_name(net, top, blob), blob, uses[top], weights[top])
                if weights[top]:
                    layer.ClearField("loss_weight")
                    taken[top] += 1
    return split


def _require_connected(net: caffe_pb2.NetParameter) -> Wiring:
    """Returns the net's wiring; GraphError for a bottom that no earlier layer makes."""
    wiring = Wiring.of_layers(net.layer)
    for index, layer in enumerate(net.layer):
        for position, blob in enumerate(layer.bottom):
            if wiring.sources[index][position] is None:
                made = list(dict.fromkeys(top for before in net.layer[:index] for top in before.top))
                known = f"; blobs made before it: {', '.join(made[-8:])}" if made else ""
                raise GraphError(
                    f"layer '{layer.name}' ({layer.type}): unknown bottom blob '{blob}' (bottom {position}): "
                    f"no layer before it makes this top{known}"
                )
    return wiring


def _written_loss_weights(net: caffe_pb2.NetParameter) -> Counter[Value]:
    return Counter(
        {
            (index, position): weight
            for index, layer in enumerate(net.layer)
            for position, weight in enumerate(layer.loss_weight[: len(layer.top)])
        }
    )


def _split_name(net: caffe_pb2.NetParameter, top: Value, blob: str) -> str:
    return f"{blob}_{net.layer[top[0]].name}_{top[1]}_split"


def _add_split(net: caffe_pb2.NetParameter, name: str, blob: str, count: int, loss_weight: float) -> None:
    layer = net.layer.add(name=name, type="Split", bottom=[blob])
    layer.top.extend(f"{name}_{index}" for index in range(count))
    if loss_weight:
        layer.loss_weight.extend([loss_weight] + [0.0] * (count - 1))


#: Caffe's name for the top of a loss layer without tops in the prototxt.
AUTOMATIC = "(automatic)"
#: Makes the LayerSpec of a layer's message: adds the phase, the seed and the source of the weights.
Specify = Callable[[LayerParameter], LayerSpec]


class GraphBuilder:
    """Adds layers one by one; `shapes` holds the shape of every blob made so far."""

    def __init__(
        self,
        specify: Specify,
        shapes: Mapping[str, Shape] | None = None,
        device: torch.device | None = None,
        budget: MemoryBudget | None = None,
    ) -> None:
        self.shapes: dict[str, Shape] = dict(shapes or {})
        self._specify = specify
        self._device = device
        self._budget = budget or MemoryBudget()

    def add(self, parameter: LayerParameter) -> Step:
        """Creates the next layer, sets it up and returns its step.

        GraphError for an unknown bottom or a top that another layer makes; the layer's own errors for its fields.
        """
        return self.set_up(self.create(parameter))

    def create(self, parameter: LayerParameter) -> Layer:
        """Returns the layer with its fields read, but without blobs, since the shapes of its bottoms are unknown."""
        spec = self._specify(parameter)
        spec.budget = self._budget
        return create_layer(spec)

    def top_names(self, layer: Layer) -> list[str]:
        """Returns the layer's tops; a loss without tops gets one, as in Caffe (AutoTopBlobs).

        Caffe names every such top `(automatic)`. Here the layer's name follows from the second such top on, because
        names of blobs must differ.
        """
        tops = list(layer.spec.parameter.top)
        if tops or not layer.is_loss:
            return tops
        return [f"{AUTOMATIC} {layer.name}" if AUTOMATIC in self.shapes else AUTOMATIC]

    def set_up(self, layer: Layer) -> Step:
        """Creates the layer's blobs for the shapes of its bottoms, computes its tops' shapes and returns its step."""
        tops = self.top_names(layer)
        self._require_new(layer, tops)
        bottom_shapes = self._bottom_shapes(layer)
        layer.setup(*bottom_shapes)
        layer.spec.make_blob = None  # `make_blob` may keep a file's weights in memory; the layer has its blobs now.
        if self._device is not None and self._device.type != "cpu":
            layer.to(self._device)  # Skipped on the CPU: `to` is slow even if nothing moves.
        loss_weights = _loss_weights(layer, len(tops))
        top_shapes = layer.top_shapes(*bottom_shapes)
        for top, shape in zip(tops, top_shapes, strict=True):
            self._budget.check_top(layer.spec.parameter, top, shape)
        self.shapes.update(zip(tops, top_shapes, strict=True))
        return Step(layer, list(layer.spec.parameter.bottom), tops, bottom_shapes, top_shapes, loss_weights)

    def _require_new(self, layer: Layer, tops: Sequence[str]) -> None:
        bottoms = layer.spec.parameter.bottom
        for position, top in enumerate(tops):
            in_place = position < len(bottoms) and bottoms[position] == top
            if (top in self.shapes and not in_place) or top in tops[:position]:
                raise GraphError(f"{layer.spec}: top blob '{top}' is produced by multiple sources; rename one of them")

    def _bottom_shapes(self, layer: Layer) -> list[Shape]:
        for bottom in layer.spec.parameter.bottom:
            if bottom not in self.shapes:
                raise GraphError(f"{layer.spec}: unknown bottom blob '{bottom}': no layer before it makes this top")
        return [self.shapes[bottom] for bottom in layer.spec.parameter.bottom]


def single_layer(parameter: LayerParameter, bottom_shapes: Sequence[Shape], phase: str = "TEST") -> Layer:
    """Returns a layer without a net, set up for bottoms of these shapes."""
    layer = GraphBuilder(partial(LayerSpec, phase=phase)).create(parameter)
    layer.setup(*bottom_shapes)
    return layer


def shapes_only(inputs: Mapping[str, Shape], phase: str = "TEST", allow_python_layers: bool = False) -> GraphBuilder:
    """Returns a builder that computes shapes only: blobs of its layers have no values and take no memory."""
    specify = partial(LayerSpec, phase=phase, allow_python_layers=allow_python_layers, make_blob=_without_numbers)
    return GraphBuilder(specify, inputs, budget=MemoryBudget(math.inf))


def _without_numbers(_spec: LayerSpec, _index: int, shape: Shape, learnable: bool) -> nn.Parameter:
    """Returns a parameter on torch's meta device, which has a shape and takes no memory."""
    return nn.Parameter(torch.empty(shape, device="meta"), learnable)


def _loss_weights(layer: Layer, tops: int) -> list[float]:
    """Returns a loss weight per top: the given ones, or 1 for the first top of a loss layer, else 0.

    Source: Layer::SetLossWeights. GraphError if the number of given weights is not the number of tops.
    """
    given = list(layer.spec.parameter.loss_weight)
    if given and len(given) != tops:  # the automatic top of a loss counts, as in Caffe
        raise GraphError(
            f"{layer.spec}: loss_weight must be unspecified or specified once per top blob: "
            f"found {len(given)} for {tops} tops"
        )
    if given:
        return given
    return [1.0 if layer.is_loss and position == 0 else 0.0 for position in range(tops)]
