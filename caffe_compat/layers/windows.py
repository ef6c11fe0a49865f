"""Kernel, stride, pad and dilation as numbers, and Caffe's output sizes computed from these."""

import math
from collections.abc import Sequence

from caffe_compat.errors import FieldError
from caffe_compat.layers.params import Params
from caffe_compat.layers.spec import LayerSpec


class SpatialField:
    """One number per spatial axis, from a field (`kernel_size`) or its pair (`kernel_h`, `kernel_w`).

    The field is read before the number of axes is known. As in base_conv_layer.cpp, the pair is for 2 spatial axes and
    excludes the field. A single value serves all axes. If half of a pair is missing, the default must be 0.
    """

    def __init__(
        self, spec: LayerSpec, params: Params, name: str, default: int | None = None, paired: bool = True
    ) -> None:
        self.spec = spec
        self.name = name
        self.default = default
        self.pair_names = [f"{name.removesuffix('_size')}_{side}" for side in "hw"]
        self.pair = {half: getattr(params, half) for half in self.pair_names if paired and params.has(half)}
        values = getattr(params, name) if params.has(name) else []
        self.values: list[int] = values if isinstance(values, list) else [values]

    @property
    def is_set(self) -> bool:
        """Whether the prototxt sets the field or its pair."""
        return bool(self.pair or self.values)

    def along(self, axes: int) -> list[int]:
        """The numbers for `axes` spatial axes."""
        if self.pair:
            return self._from_pair(axes)
        if not self.values and self.default is None:
            raise FieldError(f"{self.spec}: expected {self.name} or {' and '.join(self.pair_names)}, got neither")
        values = self.values or [self.default or 0]
        if len(values) not in (1, axes):
            raise FieldError(
                f"{self.spec}: expected 1 or {axes} values of {self.name} (one a spatial axis), got {len(values)}"
            )
        return values if len(values) == axes else values * axes

    def _from_pair(self, axes: int) -> list[int]:
        halves_missing = len(self.pair) < 2 and self.default != 0
        if axes != 2 or self.values or halves_missing:
            found = ", ".join([*self.pair, *([self.name] if self.values else [])])
            raise FieldError(
                f"{self.spec}: expected {self.name}, or both of {' and '.join(self.pair_names)} for 2 spatial axes, "
                f"got {found} for {axes}"
            )
        return [self.pair.get(half, 0) for half in self.pair_names]


def convolved_size(size: int, kernel: int, stride: int, pad: int, dilation: int) -> int:
    """(in + 2 pad - (dilation (kernel - 1) + 1)) / stride + 1, rounded toward zero like C++ (conv_layer.cpp).

    Rounding toward zero keeps one window where the input is too small by less than a stride. Example: input 2, kernel 3
    and stride 2 give 1.
    """
    spare = size + 2 * pad - (dilation * (kernel - 1) + 1)
    return (spare // stride if spare >= 0 else -(-spare // stride)) + 1


def deconvolved_size(size: int, kernel: int, stride: int, pad: int, dilation: int) -> int:
    """The output size of a deconvolution: stride (in - 1) + dilation (kernel - 1) + 1 - 2 pad."""
    return stride * (size - 1) + dilation * (kernel - 1) + 1 - 2 * pad


def pooled_sizes(
    sizes: Sequence[int], kernel: Sequence[int], stride: Sequence[int], pad: Sequence[int], round_up: bool = True
) -> list[int]:
    """(in + 2 pad - kernel) / stride + 1 for every axis, rounded up unless `round_up` is False.

    With padding on any axis, Caffe drops a last window that would start in the padding. Without padding Caffe keeps
    such a window, unlike torch: input 6, kernel 1, stride 4 give 3, where torch gives 2 (pooling_layer.cpp, Reshape).
    """
    rounded = math.ceil if round_up else math.floor
    pooled = []
    for size, extent, step, margin in zip(sizes, kernel, stride, pad, strict=True):
        count = rounded((size + 2 * margin - extent) / step) + 1
        pooled.append(count - 1 if any(pad) and (count - 1) * step >= size + margin else count)
    return pooled


def require_positive(spec: LayerSpec, name: str, values: Sequence[int]) -> None:
    """Raises an error for a value of 0; the prototxt fields are unsigned, so none is negative."""
    if any(value <= 0 for value in values):
        raise FieldError(f"{spec}: expected {name} above 0, got {list(values)}")
