"""Softmax (softmax_layer.cpp)."""

from torch import Tensor

from caffe_compat.layers.base import Layer, LayerSpec, Shape
from caffe_compat.layers.caffes import BVLC_AND_SRN
from caffe_compat.layers.registry import register_layer


@register_layer("Softmax")
class Softmax(Layer):
    """Top exp(x) / sum of exp(x) along `axis`, in the shape of the bottom."""

    known_to = BVLC_AND_SRN
    caffe_backward_reads_top = True

    def __init__(self, spec: LayerSpec) -> None:
        super().__init__(spec)
        params = spec.params("softmax_param")
        params.ignore("engine")  # selects a kernel; results are the same
        self.axis: int = params.axis

    def top_shapes(self, *bottom_shapes: Shape) -> list[Shape]:
        self.canonical_axis(self.axis, len(bottom_shapes[0]))
        return [bottom_shapes[0]]

    def forward(self, bottom: Tensor) -> Tensor:
        return bottom.softmax(self.canonical_axis(self.axis, bottom.dim()))
