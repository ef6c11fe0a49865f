"""The table from type strings of prototxts to the layer classes that run them."""

import difflib
import logging
from collections.abc import Callable, Iterable
from typing import TypeVar, cast

from caffe_compat.errors import GraphError, UnknownLayerError
from caffe_compat.layers.base import Layer, LayerSpec
from caffe_compat.proto.foreign.types import FOREIGN_TYPES, V1_WORDS, foreign_type
from caffe_compat.proto.upgrade.v1 import TYPES as V1_TYPES
from caffe_compat.registry import Registry

logger = logging.getLogger("caffe_compat")

LayerClass = TypeVar("LayerClass", bound=type[Layer])

_LAYERS: Registry[type[Layer]] = Registry("layer type", GraphError)


def register_layer(*types: str) -> Callable[[LayerClass], LayerClass]:
    """Decorator that registers a class for type strings; GraphError for a type that is registered already."""
    return cast(Callable[[LayerClass], LayerClass], _LAYERS.register(*types))


def layer_types() -> list[str]:
    """All type strings, sorted."""
    return sorted(_LAYERS)


def facts_of(layer_type: str) -> type[Layer]:
    """The class that states the facts of a type; `Layer` with its defaults for a type without a class."""
    return _LAYERS.get(layer_type, Layer)


def require_types(layers: Iterable[LayerSpec]) -> None:
    """Raises UnknownLayerError that lists every layer of an unknown type, with one line per type."""
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
    """The class of a layer's type; UnknownLayerError with advice for an unknown type."""
    if spec.type not in _LAYERS:
        raise UnknownLayerError(f"{spec}: no layer of this type{_advice(spec.type)}")
    return _LAYERS[spec.type].variant(spec)


def _advice(unknown: str) -> str:
    """Message for an unknown type: the Caffe that added it and a replacement, else a similar type."""
    foreign = foreign_type(unknown)
    if foreign:
        return f", which {FOREIGN_TYPES[foreign].caffe} added; {FOREIGN_TYPES[foreign].cure}"
    near = _nearest(unknown)
    if near:
        return f"; did you mean '{near}'?"
    return " (docs/layers.md has all); write it as a Python layer of your own"


def _nearest(unknown: str) -> str | None:
    """The new name of a type of old files, else the most similar name, letter case ignored; None without one."""
    if unknown in V1_TYPES or unknown in V1_WORDS:
        return V1_TYPES.get(unknown) or V1_WORDS[unknown]
    folded = {name.lower(): name for name in _LAYERS}
    # The cutoff accepts misspellings only: types of another meaning (other losses, poolings) are less similar.
    near = difflib.get_close_matches(unknown.replace("_", "").lower(), folded, n=1, cutoff=0.85)
    return folded[near[0]] if near else None


def create_layer(spec: LayerSpec) -> Layer:
    """Builds a layer; refuses wrong numbers of bottoms or tops, and set fields that the layer does not read."""
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
