"""Base of Convolution and Deconvolution (base_conv_layer.cpp)."""

import math
from abc import abstractmethod
from collections.abc import Sequence

from torch import Tensor

from caffe_compat.errors import FieldError, GraphError, ShapeError
from caffe_compat.layers.base import Layer, LayerSpec, Reach, Shape, Tops, at_least
from caffe_compat.layers.vision.windowed import ConvolutionWindowFields, require_output
from caffe_compat.layers.windows import require_positive


class BaseConvolution(Layer):
    """Applies the same kernels to every bottom; each bottom has its own top.

    Axis `axis` holds the channels, later axes are spatial, and earlier axes count items. Blobs: weight (kernels,
    channels per group, *kernel); bias (outputs,).
    """

    bottoms = at_least(1)
    tops = at_least(1)
    allows_in_place = False

    def __init__(self, spec: LayerSpec) -> None:
        super().__init__(spec)
        bottom_count = len(spec.parameter.bottom)
        if bottom_count != spec.top_count:
            raise GraphError(f"{spec}: expected as many tops as bottoms ({bottom_count}), got {spec.top_count}")
        params = spec.params("convolution_param")
        self.outputs: int = params.num_output
        self.groups: int = params.group
        self.axis: int = params.axis
        self.has_bias: bool = params.bias_term
        self.weight_filler = params.weight_filler
        self.bias_filler = params.bias_filler
        self.window_fields = ConvolutionWindowFields(spec, params)

    def setup(self, *bottom_shapes: Shape) -> None:
        shape = bottom_shapes[0]
        self.channel_axis = self.canonical_axis(self.axis, len(shape))
        self.channels = shape[self.channel_axis]
        self.window = self.window_fields.along(len(shape) - self.channel_axis - 1)
        self.complete_fields()
        self._require_groups()
        self.add_blob((*self.kernels_and_depth(), *self.window.kernel), self.weight_filler)
        if self.has_bias:
            self.add_blob((self.outputs,), self.bias_filler)

    def complete_fields(self) -> None:
        """Hook for subclasses that derive outputs and groups from the number of channels."""

    @abstractmethod
    def kernels_and_depth(self) -> tuple[int, int]:
        """The first two sizes of the weight."""

    @abstractmethod
    def output_sizes(self, sizes: Sequence[int]) -> list[int]:
        """The spatial sizes of a top for those of a bottom; a size below 1 means that no window fits."""

    @abstractmethod
    def convolve(self, bottom: Tensor) -> Tensor:
        """The top (N, outputs, *spatial) of a bottom (N, channels, *spatial)."""

    def top_shapes(self, *bottom_shapes: Shape) -> list[Shape]:
        return [self._top_shape(shape) for shape in bottom_shapes]

    def _top_shape(self, bottom: Shape) -> Shape:
        self._require_fit(bottom)
        axis = self.channel_axis
        return (*bottom[:axis], self.outputs, *self.output_sizes(bottom[axis + 1 :]))

    def multiply_adds(self, bottom_shapes: Sequence[Shape], top_shapes: Sequence[Shape]) -> int:
        depth = self.kernels_and_depth()[1] * math.prod(self.window.kernel)
        return depth * sum(math.prod(shape) for shape in self.swept_shapes(bottom_shapes, top_shapes))

    def swept_shapes(self, bottom_shapes: Sequence[Shape], top_shapes: Sequence[Shape]) -> Sequence[Shape]:
        """The shapes of the blobs with one kernel application per value; for a convolution, the tops."""
        return top_shapes

    def reach(self, bottom_sizes: Sequence[int]) -> Reach | None:
        """The reach along the last axis."""
        if not self.window.axes:
            return Reach()
        return Reach(self.window.dilation[-1] * (self.window.kernel[-1] - 1) + 1, self.window.stride[-1])

    def forward(self, *bottoms: Tensor) -> Tops:
        tops = tuple(self._top(bottom) for bottom in bottoms)
        return tops[0] if len(tops) == 1 else tops

    def _top(self, bottom: Tensor) -> Tensor:
        self._require_fit(bottom.shape)
        axis = self.channel_axis
        if axis == 1:
            return self.convolve(bottom)
        top = self.convolve(bottom.reshape(-1, *bottom.shape[axis:]))
        return top.reshape(*bottom.shape[:axis], *top.shape[1:])

    def _require_fit(self, bottom: Sequence[int]) -> None:
        axis, axes = self.channel_axis, self.channel_axis + 1 + self.window.axes
        if len(bottom) != axes or bottom[axis] != self.channels:
            raise ShapeError(
                f"{self.spec}: expected {axes} axes with {self.channels} channels on axis {axis}, "
                f"got a bottom of {tuple(bottom)}"
            )
        sizes = bottom[axis + 1 :]
        require_output(self.spec, sizes, self.output_sizes(sizes))

    def bias_blob(self) -> Tensor | None:
        """The bias (outputs,), or None without one."""
        return self.blobs[1] if self.has_bias else None

    def _require_groups(self) -> None:
        require_positive(self.spec, "num_output", [self.outputs])
        require_positive(self.spec, "group", [self.groups])
        for what, count in (("channels", self.channels), ("outputs", self.outputs)):
            if count % self.groups:
                raise FieldError(f"{self.spec}: expected {what} in multiples of group {self.groups}, got {count}")
