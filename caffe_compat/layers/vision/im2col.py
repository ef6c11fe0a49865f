"""Caffe's Im2col."""

import math

from torch import Tensor

from caffe_compat.errors import ShapeError
from caffe_compat.layers.base import Layer, LayerSpec, Shape
from caffe_compat.layers.caffes import BVLC_AND_SRN
from caffe_compat.layers.registry import register_layer
from caffe_compat.layers.windows import ConvolutionWindowFields, image_columns, require_output


@register_layer("Im2col")
class Im2col(Layer):
    """Top (N, C * kernel elements, *windows): along the channels, the elements that each convolution window reads."""

    known_to = BVLC_AND_SRN
    example = "convolution_param { kernel_size: 1 }"
    allows_in_place = False

    def __init__(self, spec: LayerSpec) -> None:
        super().__init__(spec)
        params = spec.params("convolution_param")
        # Im2col has no weights, but Caffe accepts all fields of convolution_param.
        params.ignore("num_output", "bias_term", "group", "weight_filler", "bias_filler")
        self.axis: int = params.axis
        self.window_fields = ConvolutionWindowFields(spec, params)

    def setup(self, *bottom_shapes: Shape) -> None:
        shape = bottom_shapes[0]
        self.channel_axis = self.canonical_axis(self.axis, len(shape))
        if self.channel_axis == len(shape) - 1:
            raise ShapeError(f"{self.spec}: expected spatial axes behind axis {self.channel_axis}, got {list(shape)}")
        self.window = self.window_fields.along(len(shape) - self.channel_axis - 1)

    def top_shapes(self, *bottom_shapes: Shape) -> list[Shape]:
        shape, axis = bottom_shapes[0], self.channel_axis
        if len(shape) != axis + 1 + self.window.axes:
            raise ShapeError(f"{self.spec}: expected {axis + 1 + self.window.axes} axes, got {list(shape)}")
        sizes = shape[axis + 1 :]
        windows = self.window.convolved(sizes)
        require_output(self.spec, sizes, windows)
        return [(*shape[:axis], shape[axis] * math.prod(self.window.kernel), *windows)]

    def forward(self, bottom: Tensor) -> Tensor:
        self.top_shapes(bottom.shape)
        axis = self.channel_axis
        columns = image_columns(bottom.reshape(-1, *bottom.shape[axis:]), self.window)
        return columns.reshape(*bottom.shape[:axis], *columns.shape[1:])
