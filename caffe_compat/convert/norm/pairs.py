"""Finds each BatchNorm with the Scale behind it."""

from collections.abc import Sequence

from caffe_compat.convert.model import Layer
from caffe_compat.graph.wiring import Wiring


def scale_behind(layers: Sequence[Layer], wiring: Wiring, index: int) -> int | None:
    """The index of the Scale that completes a BatchNorm: its only reader, one slope a channel, no second bottom."""
    reader = wiring.only_reader(index)
    return reader if reader is not None and is_channel_scale(layers[reader]) else None


def is_channel_scale(layer: Layer) -> bool:
    """Whether a Scale multiplies each channel by a weight of its own."""
    field = layer.scale_param
    return layer.type == "Scale" and len(layer.bottom) == 1 and field.axis == 1 and field.num_axes == 1
