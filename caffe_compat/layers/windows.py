"""Windows that slide over images: fields of the prototxt, Caffe's output sizes, and the windows themselves."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor
from torch.nn.functional import pad as pad_with_zeros

from caffe_compat.errors import FieldError, ShapeError
from caffe_compat.layers.spec import LayerSpec, Params


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


def require_four_axes(spec: LayerSpec, shape: Sequence[int]) -> None:
    """Raises ShapeError for a shape that is not (num, channels, height, width)."""
    if len(shape) != 4:
        raise ShapeError(f"{spec}: expected 4 axes (num, channels, height, width), got {list(shape)}")


@dataclass(frozen=True)
class ConvolutionWindow:
    """Kernel, stride, pad and dilation, each with one number per spatial axis."""

    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    pad: tuple[int, ...]
    dilation: tuple[int, ...]

    @property
    def axes(self) -> int:
        return len(self.kernel)

    @property
    def is_pointwise(self) -> bool:
        """Whether each place of the top reads the same place of the bottom and no other."""
        return self.reads_single_places and all(step == 1 for step in self.stride)

    @property
    def reads_single_places(self) -> bool:
        """Whether each place of the top reads one place of the bottom; a stride leaves others out."""
        return all(extent == 1 for extent in self.kernel) and not any(self.pad)

    def covers(self, sizes: Sequence[int]) -> bool:
        """Whether a single window reads the whole input, each element once."""
        return tuple(sizes) == self.kernel and not any(self.pad) and all(step == 1 for step in self.dilation)

    def strides_in_vain(self, sizes: Sequence[int]) -> bool:
        """Whether the last axis has room for a single window in spite of a stride above 1, beside other axes."""
        return self.axes > 1 and self.stride[-1] > 1 and self.convolved(sizes)[-1] == 1

    def reads_only_padding(self, sizes: Sequence[int]) -> bool:
        """Whether a window with gaps (dilation) lies beside the input: oneDNN then reads other memory, or crashes.

        Found in torch 2.13. Windows without gaps are handled well.
        """
        has_gaps = any(gap > 1 and margin for gap, margin in zip(self.dilation, self.pad, strict=True))
        return has_gaps and any(_lies_beside(*axis) for axis in self._per_axis(sizes))

    def missing(self, sizes: Sequence[int]) -> list[int]:
        """How many places the first window extends beyond the padded input, per axis; im2col reads zeros there."""
        axes = self._per_axis(sizes)
        return [max(0, gap * (extent - 1) + 1 - size - 2 * margin) for size, extent, _, margin, gap in axes]

    def completed(self, bottom: Tensor) -> Tensor:
        """The bottom with zeros appended where the first window extends beyond the padded input."""
        missing = self.missing(bottom.shape[2:])
        return (
            pad_with_zeros(bottom, [side for end in reversed(missing) for side in (0, end)]) if any(missing) else bottom
        )

    def convolved(self, sizes: Sequence[int]) -> list[int]:
        """The sizes after a convolution; a size below 1 means that the window does not fit."""
        return [convolved_size(*values) for values in self._per_axis(sizes)]

    def deconvolved(self, sizes: Sequence[int]) -> list[int]:
        """The sizes after a deconvolution; a size below 1 means that the padding removes everything."""
        return [deconvolved_size(*values) for values in self._per_axis(sizes)]

    def _per_axis(self, sizes: Sequence[int]) -> list[tuple[int, int, int, int, int]]:
        return list(zip(sizes, self.kernel, self.stride, self.pad, self.dilation, strict=True))


@lru_cache(maxsize=256)  # asked in each forward; sizes mostly stay the same
def _lies_beside(size: int, extent: int, stride: int, margin: int, gap: int) -> bool:
    """Whether all elements of one of the windows along an axis are padding, and the window has gaps."""
    count = convolved_size(size, extent, stride, margin, gap)
    windows = (range(start, start + gap * extent, gap) for start in range(-margin, count * stride - margin, stride))
    return gap > 1 and any(not any(0 <= place < size for place in window) for window in windows)


class ConvolutionWindowFields:
    """The window fields of convolution_param, read before the number of spatial axes is known."""

    def __init__(self, spec: LayerSpec, params: Params) -> None:
        params.ignore("engine", "force_nd_im2col")  # select a kernel; results are the same
        self.spec = spec
        self.kernel = SpatialField(spec, params, "kernel_size")
        self.stride = SpatialField(spec, params, "stride", default=1)
        self.pad = SpatialField(spec, params, "pad", default=0)
        self.dilation = SpatialField(spec, params, "dilation", default=1, paired=False)

    def along(self, axes: int) -> ConvolutionWindow:
        """The window for `axes` spatial axes; an empty window for 0 axes (channels are the last axis)."""
        if axes == 0:
            return ConvolutionWindow((), (), (), ())
        fields = {"kernel_size": self.kernel, "stride": self.stride, "pad": self.pad, "dilation": self.dilation}
        values = {name: field.along(axes) for name, field in fields.items()}
        for name in ("kernel_size", "stride", "dilation"):
            require_positive(self.spec, name, values[name])
        return ConvolutionWindow(*(tuple(numbers) for numbers in values.values()))


def require_output(spec: LayerSpec, bottom_sizes: Sequence[int], top_sizes: Sequence[int]) -> None:
    """Raises ShapeError for an input that is too small for one window."""
    if any(size < 1 for size in top_sizes):
        raise ShapeError(
            f"{spec}: expected an input of at least one window, got {list(bottom_sizes)}, which gives "
            f"{list(top_sizes)}; give a larger input, or change kernel_size, dilation or pad"
        )


def image_columns(bottom: Tensor, window: ConvolutionWindow) -> Tensor:
    """Columns (N, C * kernel elements, *windows) of (N, C, *spatial), in the order of Caffe's im2col."""
    axes = window.axes
    columns = pad_with_zeros(window.completed(bottom), [margin for margin in reversed(window.pad) for _ in range(2)])
    for axis, (extent, step, gap) in enumerate(zip(window.kernel, window.stride, window.dilation, strict=True)):
        columns = columns.unfold(2 + axis, gap * (extent - 1) + 1, step)[..., ::gap]
    places, offsets = range(2, 2 + axes), range(2 + axes, 2 + 2 * axes)
    columns = columns.permute(0, 1, *offsets, *places)
    batch, channels = bottom.shape[:2]
    return columns.reshape(batch, channels * math.prod(window.kernel), *columns.shape[2 + axes :])


#: Caffe's initial value of a maximum (-FLT_MAX), and so the maximum of a window without elements.
LOWEST = torch.finfo(torch.float32).min


def lowest_of(values: Tensor) -> float:
    """Returns LOWEST, or the least number of the values' type if this is larger (float16, bfloat16)."""
    return max(LOWEST, torch.finfo(values.dtype).min)


@dataclass(frozen=True)
class PoolingWindow:
    """Kernel, stride and pad as (height, width), and whether output sizes round up."""

    kernel: tuple[int, int]
    stride: tuple[int, int] = (1, 1)
    pad: tuple[int, int] = (0, 0)
    round_up: bool = True

    def pooled(self, sizes: Sequence[int]) -> list[int]:
        """The height and width of the top."""
        return pooled_sizes(sizes, self.kernel, self.stride, self.pad, self.round_up)

    def has_empty(self, sizes: Sequence[int]) -> bool:
        """Whether the last window starts beyond the image, as Caffe allows without padding."""
        return any(
            (count - 1) * step - margin >= size
            for count, step, margin, size in zip(self.pooled(sizes), self.stride, self.pad, sizes, strict=True)
        )

    def suits_torch(self, sizes: Sequence[int]) -> bool:
        """Whether torch's own padding and rounding give the same windows as Caffe."""
        halves = all(2 * margin <= extent for margin, extent in zip(self.pad, self.kernel, strict=True))
        return halves and self.pooled(sizes) == self._torch_sizes(sizes)

    def margins(self, sizes: Sequence[int]) -> list[int]:
        """Padding (left, right, top, bottom) with which unpadded, floor-rounded windows equal Caffe's windows."""
        margins = []
        for size, count, extent, step, margin in zip(
            sizes, self.pooled(sizes), self.kernel, self.stride, self.pad, strict=True
        ):
            margins.append((margin, (count - 1) * step + extent - size - margin))
        return [value for pair in reversed(margins) for value in pair]

    def divisors(self, sizes: Sequence[int]) -> list[list[int]]:
        """The extent of each window, clipped to the padded image: a list for rows and a list for columns."""
        return [
            [min(place * step - margin + extent, size + margin) - (place * step - margin) for place in range(count)]
            for size, count, extent, step, margin in zip(
                sizes, self.pooled(sizes), self.kernel, self.stride, self.pad, strict=True
            )
        ]

    def _torch_sizes(self, sizes: Sequence[int]) -> list[int]:
        counts = []
        for size, extent, step, margin in zip(sizes, self.kernel, self.stride, self.pad, strict=True):
            span = size + 2 * margin - extent
            count = (span + step - 1 if self.round_up else span) // step + 1
            counts.append(count - 1 if self.round_up and (count - 1) * step >= size + margin else count)
        return counts
