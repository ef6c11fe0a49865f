"""Upgrades Crop layers older than BVLC's (FCN of 2015, HED, CRF-RNN), which compute their offset themselves.

BVLC's Crop reads the offset from crop_param, with default 0. The older layer has no parameters: it cuts so that the
pixels of both bottoms coincide (crop_layer.cpp of longjon/caffe and s9xie/hed).
"""

import logging
from collections.abc import Iterator
from typing import NamedTuple

from caffe_compat.proto import caffe_pb2

_LOG = logging.getLogger(__name__)

Net = caffe_pb2.NetParameter
Layer = caffe_pb2.LayerParameter

#: Types whose tops have a pixel where their bottoms have one.
KEEPS_COORDINATES = (
    "AbsVal", "BatchNorm", "Bias", "BNLL", "Dropout", "Eltwise", "ELU", "Exp", "Log", "LRN", "MVN", "Power", "PReLU",
    "ReLU", "Scale", "Sigmoid", "Split", "TanH", "Threshold",
)  # fmt: skip


class LinearMap(NamedTuple):
    """Coordinate i of a blob is coordinate scale * i + shift of another."""

    scale: float
    shift: float

    def after(self, first: "LinearMap") -> "LinearMap":
        """Both lines in one: `first`, then this one."""
        return LinearMap(self.scale * first.scale, self.scale * first.shift + self.shift)

    def back(self) -> "LinearMap":
        """The line in the other direction."""
        return LinearMap(1 / self.scale, -self.shift / self.scale)


class _NoLineError(Exception):
    """A layer moves pixels in no such way, or the walk ends before it meets the other one."""


def cuts_elsewhere(net: Net) -> bool:
    """Whether a Crop layer without crop_param cuts elsewhere in the older Caffe than in BVLC's."""
    return bool(_found(net))


def give_old_crops_their_offsets(net: Net) -> list[str]:
    """Writes the offset that the older layer finds into crop_param, in place; nothing where the offset is 0.

    A Crop whose bottoms are not connected by layers that move pixels alike is left as it is.
    """
    told = []
    while found := _found(net):  # one at a time, since the offset of the first Crop moves the pixels of the next
        layer, offsets = found[0]
        layer.crop_param.axis = 2
        layer.crop_param.offset.extend(offsets)
        told.append(f"'{layer.name}' at {offsets[0]}, {offsets[1]}")
    _LOG.warning(
        "net '%s': Crop layers without crop_param cut where pixels coincide, as the Caffes of FCN (2015), HED and "
        "CRF-RNN do: %s. BVLC's Caffe cuts at 0: for that, write crop_param { offset: 0 }",
        net.name,
        ", ".join(told),
    )
    return []


def _found(net: Net) -> list[tuple[Layer, tuple[int, int]]]:
    """The Crop layers without crop_param, each with its offsets on the axes of height and width, where one is not 0."""
    makers: dict[str, Layer] = {}
    for layer in net.layer:
        for top in layer.top:
            makers.setdefault(top, layer)  # not the layers that work in place, as in the older Caffe
    crops = [layer for layer in net.layer if layer.type == "Crop" and not layer.HasField("crop_param")]
    offsets = [_offsets(crop, makers) if len(crop.bottom) == 2 else (0, 0) for crop in crops]
    return [(crop, both) for crop, both in zip(crops, offsets, strict=True) if any(both)]


def _offsets(crop: Layer, makers: dict[str, Layer]) -> tuple[int, int]:
    """The offsets on the axes of height and width; (0, 0) where there are none."""
    try:
        vertical, horizontal = (_line_between(crop, makers, axis) for axis in (0, 1))
    except _NoLineError:
        return 0, 0
    shifts = (-vertical.shift, -horizontal.shift)
    fits = vertical.scale == horizontal.scale == 1 and all(shift >= 0 and shift == int(shift) for shift in shifts)
    return (int(shifts[0]), int(shifts[1])) if fits else (0, 0)


def _line_between(crop: Layer, makers: dict[str, Layer], axis: int) -> LinearMap:
    """From the pixels of the first bottom to those of the second, over the blob where both ways meet."""
    to_first = dict(_ways(crop.bottom[0], makers, axis))
    for blob, way in _ways(crop.bottom[1], makers, axis):
        if blob in to_first:
            return way.after(to_first[blob].back())
    raise _NoLineError


def _ways(blob: str, makers: dict[str, Layer], axis: int) -> Iterator[tuple[str, LinearMap]]:
    """The blob and those before it, over first bottoms only, each with the line from there to the blob."""
    way = LinearMap(1, 0)
    seen = {blob}
    yield blob, way
    while blob in makers and makers[blob].bottom:
        layer = makers[blob]
        blob = layer.bottom[0]
        if blob in seen:
            return
        seen.add(blob)
        try:
            way = way.after(_line(layer, axis))
        except _NoLineError:
            return
        yield blob, way


def _line(layer: Layer, axis: int) -> LinearMap:
    """Returns the line from the bottom's pixels to the top's; _NoLineError if the layer has none."""
    if layer.type in KEEPS_COORDINATES:
        return LinearMap(1, 0)
    if layer.type == "Crop":
        offset = layer.crop_param.offset
        return LinearMap(1, -(offset[min(axis, len(offset) - 1)] if offset else 0))
    if layer.type not in ("Convolution", "Deconvolution", "Pooling"):
        raise _NoLineError
    kernel, stride, pad = _window(layer, axis)
    if layer.type == "Deconvolution":
        return LinearMap(stride, (kernel - 1) / 2 - pad)
    return LinearMap(1 / stride, (pad - (kernel - 1) / 2) / stride)


def _window(layer: Layer, axis: int) -> tuple[int, int, int]:
    """Kernel size (with dilation), stride and pad on the axis of height (0) or width (1)."""
    pooling = layer.type == "Pooling"
    param = layer.pooling_param if pooling else layer.convolution_param
    if pooling and layer.pooling_param.global_pooling:
        raise _NoLineError
    side = "hw"[axis]
    kernel, stride, pad = (
        _size(param, field, f"{name}_{side}", axis, default)
        for field, name, default in (("kernel_size", "kernel", 0), ("stride", "stride", 1), ("pad", "pad", 0))
    )
    if not kernel or not stride:
        raise _NoLineError
    dilation = 1 if pooling else _at(list(layer.convolution_param.dilation), axis, 1)
    return (kernel - 1) * dilation + 1, stride, pad


def _size(
    param: caffe_pb2.PoolingParameter | caffe_pb2.ConvolutionParameter, field: str, side: str, axis: int, default: int
) -> int:
    """A size of a window, which is set for one side, or for both, or for each in a list."""
    if param.HasField(side):
        return int(getattr(param, side))
    if isinstance(param, caffe_pb2.PoolingParameter):
        return int(getattr(param, field)) if param.HasField(field) else default
    return _at(list(getattr(param, field)), axis, default)


def _at(sizes: list[int], axis: int, default: int) -> int:
    return sizes[min(axis, len(sizes) - 1)] if sizes else default
