"""Finds each BatchNorm with the Scale behind it."""

from collections.abc import Sequence

from caffe_compat.convert.model import Layer
from caffe_compat.graph.wiring import Wiring


def scale_behind(layers: Sequence[Layer], wiring: Wiring, index: int) -> int | None:
    """Returns the index of the Scale that belongs to the BatchNorm at `index`, or None.

    The Scale must be the BatchNorm's only reader, with one slope per channel and no second bottom.
    """
    reader = wiring.only_reader(index)
    return reader if reader is not None and is_channel_scale(layers[reader]) else None


def is_channel_scale(layer: Layer) -> bool:
    """Whether the layer is a Scale with one learnt factor per channel."""
    field = layer.scale_param
    return layer.type == "Scale" and len(layer.bottom) == 1 and field.axis == 1 and field.num_axes == 1
