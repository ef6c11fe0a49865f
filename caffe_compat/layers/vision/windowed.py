"""The windows of convolutions over any number of spatial axes, and the columns that im2col makes of these windows."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor
from torch.nn.functional import pad as pad_with_zeros

from caffe_compat.errors import ShapeError
from caffe_compat.layers.base import LayerSpec
from caffe_compat.layers.params import Params
from caffe_compat.layers.windows import SpatialField, convolved_size, deconvolved_size, require_positive


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

    def covers(self, sizes: Sequence[int]) -> bool:
        """Whether a single window reads the whole input, each element once."""
        return tuple(sizes) == self.kernel and not any(self.pad) and all(step == 1 for step in self.dilation)

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
            f"{spec}: expected an input of at least one window, got {list(bottom_sizes)}, which gives {list(top_sizes)}"
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
