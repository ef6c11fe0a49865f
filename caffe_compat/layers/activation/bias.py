"""Bias (bias_layer.cpp)."""

from torch import Tensor

from caffe_compat.layers.activation.scale import aligned, operand_shape, require_operand
from caffe_compat.layers.base import Layer, LayerSpec, Shape, between
from caffe_compat.layers.caffes import BVLC_AND_SRN
from caffe_compat.layers.registry import register_layer


@register_layer("Bias")
class Bias(Layer):
    """Top x + b, where b is blob 0 or bottom 1; its axes are the axes of x that begin at `axis`."""

    known_to = BVLC_AND_SRN
    blob_names = ("bias",)
    bottoms = between(1, 2)

    def __init__(self, spec: LayerSpec) -> None:
        super().__init__(spec)
        params = spec.params("bias_param")
        self.axis = params.axis
        self.num_axes = params.num_axes
        self.filler = params.filler

    def setup(self, *bottom_shapes: Shape) -> None:
        if len(bottom_shapes) == 1:
            self.add_blob(operand_shape(self, bottom_shapes[0], self.axis, self.num_axes), self.filler)

    def top_shapes(self, *bottom_shapes: Shape) -> list[Shape]:
        if len(bottom_shapes) > 1 or self.blobs[0] is not None:
            operand = bottom_shapes[1] if len(bottom_shapes) > 1 else tuple(self.blobs[0].shape)
            require_operand(self, operand, bottom_shapes[0], self.axis)
        return [bottom_shapes[0]]

    def forward(self, bottom: Tensor, *given: Tensor) -> Tensor:
        bias: Tensor | None = given[0] if given else self.blobs[0]
        return bottom if bias is None else bottom + aligned(self, bias, bottom, self.axis)
