"""Caffe's Convolution, and the base that it shares with Deconvolution (base_conv_layer.cpp)."""

import math
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn.functional import conv1d, conv2d, conv3d

from caffe_compat.errors import FieldError, GraphError, ShapeError
from caffe_compat.layers.base import (
    Layer,
    LayerSpec,
    Reach,
    Shape,
    Tops,
    add_bias,
    at_least,
    computes_in_half,
    is_eager_on_cpu,
    sums_are_careful,
)
from caffe_compat.layers.caffes import BVLC_AND_SRN, Meaning
from caffe_compat.layers.registry import register_layer
from caffe_compat.layers.vision.pixel_products import choose_pixels, multiply_planes, multiply_rows
from caffe_compat.layers.windows import (
    ConvolutionWindow,
    ConvolutionWindowFields,
    image_columns,
    require_output,
    require_positive,
)
from caffe_compat.proto import caffe_pb2


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
        self.require_fit(bottom)
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
        self.require_fit(bottom.shape)
        axis = self.channel_axis
        if axis == 1:
            return self.convolve(bottom)
        top = self.convolve(bottom.reshape(-1, *bottom.shape[axis:]))
        return top.reshape(*bottom.shape[:axis], *top.shape[1:])

    def require_fit(self, bottom: Sequence[int]) -> None:
        """Raises ShapeError for the shape of a bottom that the layer cannot convolve."""
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


#: torch's convolution by number of spatial axes; other numbers of axes use image_columns.
CONVOLUTIONS = {1: conv1d, 2: conv2d, 3: conv3d}


@register_layer("Convolution")
class Convolution(BaseConvolution):
    """Correlates every window with the kernels and adds a bias; output sizes round toward zero."""

    known_to: ClassVar[tuple[str, ...]] = BVLC_AND_SRN
    meanings = (
        Meaning(
            "BVLC",
            "dilation",
            "dilation",
        ),
        Meaning(
            "DeepLab",
            "the same",
            "hole, or hole_h and hole_w",
            "becomes dilation",
        ),
        Meaning(
            "TSN",
            "the same",
            "dilation_h and dilation_w",
            "becomes dilation",
        ),
        Meaning(
            "Intel",
            "ReLU and sums within the layer",
            "relu, fusion_type",
            "refused: write the layers that were merged",
        ),
    )
    example = "convolution_param { num_output: 1 kernel_size: 1 }"
    blob_names = ("weight", "bias")
    backward_reads_top = False

    @classmethod
    def item_for(cls, parameter: caffe_pb2.LayerParameter, blob: Shape) -> tuple[int | None, ...] | None:
        return (blob[1] * parameter.convolution_param.group, *[None] * (len(blob) - 2))

    def kernels_and_depth(self) -> tuple[int, int]:
        return self.outputs, self.channels // self.groups

    def output_sizes(self, sizes: Sequence[int]) -> list[int]:
        return self.window.convolved(sizes)

    def convolve(self, bottom: Tensor) -> Tensor:
        return self.convolve_with(bottom, self.blobs[0], self.bias_blob())

    def convolve_chosen(self, chosen: Tensor) -> Tensor:
        """The top for a bottom of which only the pixels that the stride reaches are left."""
        unit = replace(self.window, stride=(1,) * self.window.axes)
        return self.convolve_with(chosen, self.blobs[0], self.bias_blob(), unit)

    def convolve_with(
        self, bottom: Tensor, weight: Tensor, bias: Tensor | None, window: ConvolutionWindow | None = None
    ) -> Tensor:
        """The same convolution with the given weight, bias and window in place of the layer's."""
        window = window or self.window
        if bias is not None and bias.requires_grad and sums_are_careful():
            return add_bias(self.convolve_with(bottom, weight, None, window), bias)
        sizes = bottom.shape[2:]
        # If the window covers the input, a matrix product is several times faster (SRN's 14x14 kernels).
        # Not while compiling: sizes may be symbolic there, and the compiler selects its own algorithm.
        by_columns = not torch.compiler.is_compiling() and (window.covers(sizes) or window.reads_only_padding(sizes))
        if window.axes not in CONVOLUTIONS or by_columns:
            return self._convolve_columns(bottom, weight, bias, window)
        if self.groups == 1 and window.axes == 2 and window.reads_single_places and is_eager_on_cpu(bottom):
            product = _multiply_pixels(bottom, weight.flatten(1), bias, window.stride)
            if product is not None:
                return product
        if bottom.device.type == "cpu" and computes_in_half(bottom) and window.strides_in_vain(sizes):
            # With such strides, oneDNN's kernels for AMX give numbers that were in memory before (torch 2.13).
            step_1 = replace(window, stride=(*window.stride[:-1], 1))
            return self.convolve_with(bottom, weight, bias, step_1)[..., :1]
        convolution, bottom = CONVOLUTIONS[window.axes], window.completed(bottom)
        return convolution(bottom, weight, bias, window.stride, window.pad, window.dilation, self.groups)

    def _convolve_columns(
        self, bottom: Tensor, weight: Tensor, bias: Tensor | None, window: ConvolutionWindow
    ) -> Tensor:
        sizes = bottom.shape[2:]
        # The matrix product needs each group's values next to each other, so channels-last images are copied.
        columns = bottom.contiguous() if window.covers(sizes) else image_columns(bottom, window)
        weight = weight.reshape(self.groups, self.outputs // self.groups, -1)
        images, top_sizes = bottom.shape[0], window.convolved(sizes)
        columns = columns.reshape(images, self.groups, weight.shape[2], math.prod(top_sizes))
        top = torch.einsum("ngkw,gok->ngow", columns, weight).reshape(images, self.outputs, math.prod(top_sizes))
        if bias is not None:
            top = top + bias[:, None]
        return top.reshape(images, self.outputs, *top_sizes)


def _multiply_pixels(bottom: Tensor, weight: Tensor, bias: Tensor | None, stride: tuple[int, ...]) -> Tensor | None:
    """The products of a matrix (outputs, channels) and each pixel of a bottom (N, channels, H, W), plus the bias.

    A stride leaves pixels out. None where torch's convolution is the better choice: a matrix product on a CPU is
    quicker if no more than the chosen pixels has to be copied for it. With channels outermost, its gradient would take
    a copy of the weights for each image.
    """
    if not bottom.is_contiguous():
        if not bottom.is_contiguous(memory_format=torch.channels_last):
            return None
        chosen = choose_pixels(bottom, stride) if any(step != 1 for step in stride) else bottom
        return multiply_rows(chosen.permute(0, 2, 3, 1), weight, bias).permute(0, 3, 1, 2)
    if torch.is_grad_enabled():
        return None
    chosen = bottom[:, :, :: stride[0], :: stride[1]]
    images, planes = len(chosen), chosen.flatten(2)
    products = multiply_planes(planes, weight) if images > 2 else torch.bmm(weight.expand(images, -1, -1), planes)
    top = products.view(images, len(weight), *chosen.shape[2:])
    return top if bias is None else top.add_(bias.view(-1, 1, 1))
