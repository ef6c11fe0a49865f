"""Finds each BatchNorm with the Scale behind it."""

from collections.abc import Sequence

from caffe_compat.convert.model import Layer


def only_reader(layers: Sequence[Layer], index: int) -> int | None:
    """The index of the one layer that reads this layer's one top before it is written anew; None if not just one."""
    (top,) = layers[index].top
    readers = []
    for later in range(index + 1, len(layers)):
        if top in layers[later].bottom:
            readers.append(later)
        if top in layers[later].top:
            break
    return readers[0] if len(readers) == 1 else None


def scale_behind(layers: Sequence[Layer], index: int) -> int | None:
    """The index of the Scale that completes a BatchNorm: its only reader, one slope a channel, no second bottom."""
    reader = only_reader(layers, index)
    if reader is None or not is_channel_scale(layers[reader]):
        return None
    return reader


def is_channel_scale(layer: Layer) -> bool:
    """Whether a Scale multiplies each channel by a weight of its own."""
    field = layer.scale_param
    return layer.type == "Scale" and len(layer.bottom) == 1 and field.axis == 1 and field.num_axes == 1
