"""Type strings of prototxts and the classes that run them."""

import difflib
import logging
from collections.abc import Callable, Iterable
from typing import TypeVar

from caffe_compat.errors import GraphError, UnknownLayerError
from caffe_compat.layers.base import Layer, LayerSpec
from caffe_compat.proto.foreign.types import FOREIGN_TYPES, V1_WORDS, foreign_type
from caffe_compat.proto.upgrade.v1 import TYPES as V1_TYPES

logger = logging.getLogger("caffe_compat")

LayerClass = TypeVar("LayerClass", bound=type[Layer])

_LAYERS: dict[str, type[Layer]] = {}


def register_layer(*types: str) -> Callable[[LayerClass], LayerClass]:
    """Makes a class answer to these type strings; a type has one class."""

    def register(layer: LayerClass) -> LayerClass:
        for type_name in types:
            if type_name in _LAYERS:
                raise GraphError(f"layer type '{type_name}' is registered already, by {_LAYERS[type_name].__name__}")
            _LAYERS[type_name] = layer
        return layer

    return register


def layer_types() -> list[str]:
    """All type strings, sorted."""
    return sorted(_LAYERS)


def facts_of(layer_type: str) -> type[Layer]:
    """The class whose attributes state the facts of a type; `Layer`, which states none, for a type without a class."""
    return _LAYERS.get(layer_type, Layer)


def require_types(layers: Iterable[LayerSpec]) -> None:
    """UnknownLayerError that lists every layer whose type is not here, one line per type."""
    unknown: dict[str, list[LayerSpec]] = {}
    for spec in layers:
        if spec.type not in _LAYERS:
            unknown.setdefault(spec.type, []).append(spec)
    lines = [
        f"{specs[0]}{f' (and {len(specs) - 1} more)' if len(specs) > 1 else ''}: no layer of this type{_advice(name)}"
        for name, specs in unknown.items()
    ]
    if lines:
        raise UnknownLayerError("\n".join(lines))


def layer_class(spec: LayerSpec) -> type[Layer]:
    """The class for a layer's type; an unknown type names its nearest neighbour."""
    if spec.type not in _LAYERS:
        raise UnknownLayerError(f"{spec}: no layer of this type{_advice(spec.type)}")
    return _LAYERS[spec.type].variant(spec)


def _advice(unknown: str) -> str:
    """Whose the type is and what stands for it, else the nearest type of ours, else all of them."""
    foreign = foreign_type(unknown)
    if foreign:
        return f", which {FOREIGN_TYPES[foreign].caffe} added; {FOREIGN_TYPES[foreign].cure}"
    near = _nearest(unknown)
    if near:
        return f"; did you mean '{near}'?"
    return f" (docs/layers.md has all); write it as a Python layer of your own. Known types: {', '.join(layer_types())}"


def _nearest(unknown: str) -> str | None:
    """The type that it is in old files, or that is spelled most like it, small letters or capitals."""
    if unknown in V1_TYPES or unknown in V1_WORDS:
        return V1_TYPES.get(unknown) or V1_WORDS[unknown]
    folded = {name.lower(): name for name in _LAYERS}
    # So alike that it is a slip of the pen: Batch normalisations, losses and poolings of other meaning are less alike.
    near = difflib.get_close_matches(unknown.replace("_", "").lower(), folded, n=1, cutoff=0.85)
    return folded[near[0]] if near else None


def create_layer(spec: LayerSpec) -> Layer:
    """Builds the layer; refuses wrong numbers of bottoms and tops, and set fields that the layer does not honour."""
    kind = layer_class(spec)
    for what, arity, names in (
        ("bottoms", kind.bottoms, spec.parameter.bottom),
        ("tops", kind.tops, spec.parameter.top),
    ):
        automatic = what == "tops" and kind.is_loss and not names
        if not automatic and not arity.allows(len(names)):
            raise GraphError(f"{spec}: expected {arity} {what}, got {len(names)}")
    if not kind.allows_in_place and set(spec.parameter.bottom) & set(spec.parameter.top):
        raise GraphError(f"{spec}: {spec.type} cannot run in place; give its top a name of its own")
    layer = kind(spec)
    spec.reject_unread_fields()
    for message in spec.unread_messages():
        logger.warning("%s: %s is set but %s has no use for it; ignored, as Caffe does", spec, message, spec.type)
    return layer
