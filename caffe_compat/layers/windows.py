"""Kernel, stride, pad and dilation as numbers, and the output sizes that Caffe computes from them."""

import math
from collections.abc import Sequence

from caffe_compat.errors import FieldError
from caffe_compat.layers.params import Params
from caffe_compat.layers.spec import LayerSpec


def spatial_values(spec: LayerSpec, params: Params, name: str, axes: int, default: int | None) -> list[int]:
    """One number a spatial axis from a repeated field (`kernel_size`) or its _h/_w pair (`kernel_h`, `kernel_w`).

    Caffe's base_conv_layer.cpp: the pair is for 2 spatial axes and excludes the repeated field; one value serves all.
    """
    stem = name.removesuffix("_size")
    pair = [f"{stem}_{side}" for side in "hw"]
    given = [params.has(field) for field in pair]
    values = list(getattr(params, name))
    if any(given):
        if axes != 2 or values or (default is None and not all(given)):
            raise FieldError(f"{spec}: expected either {name} or both of {pair[0]} and {pair[1]}, for 2 spatial axes")
        return [getattr(params, field) if has else default or 0 for field, has in zip(pair, given, strict=True)]
    if not values and default is None:
        raise FieldError(f"{spec}: expected {name} or {pair[0]} and {pair[1]}, found neither")
    if len(values) not in (0, 1, axes):
        raise FieldError(f"{spec}: expected 1 or {axes} values of {name} (one a spatial axis), got {len(values)}")
    values = values or [default or 0]
    return values if len(values) == axes else values * axes


def convolved_size(size: int, kernel: int, stride: int, pad: int, dilation: int) -> int:
    """(in + 2 pad - (dilation (kernel - 1) + 1)) / stride + 1, rounded down."""
    return (size + 2 * pad - (dilation * (kernel - 1) + 1)) // stride + 1


def deconvolved_size(size: int, kernel: int, stride: int, pad: int, dilation: int) -> int:
    """stride (in - 1) + dilation (kernel - 1) + 1 - 2 pad."""
    return stride * (size - 1) + dilation * (kernel - 1) + 1 - 2 * pad


def pooled_size(size: int, kernel: int, stride: int, pad: int, round_up: bool = True) -> int:
    """(in + 2 pad - kernel) / stride + 1, rounded up unless told otherwise.

    With padding, a last window that would start in the padding is dropped; without padding it is not, which torch
    does (pooling_layer.cpp, Reshape: in 6, kernel 1, stride 4 gives 3 where torch gives 2).
    """
    steps = (size + 2 * pad - kernel) / stride
    pooled = (math.ceil(steps) if round_up else math.floor(steps)) + 1
    if pad and (pooled - 1) * stride >= size + pad:
        pooled -= 1
    return pooled


def require_positive(spec: LayerSpec, name: str, values: Sequence[int]) -> None:
    """Refuses zeros (a prototxt can hold no negatives here)."""
    if any(value <= 0 for value in values):
        raise FieldError(f"{spec}: expected {name} above 0, got {list(values)}")
