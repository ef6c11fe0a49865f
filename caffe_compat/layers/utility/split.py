"""Split (split_layer.cpp)."""

from torch import Tensor

from caffe_compat.layers.base import Layer, Shape, Tops, at_least
from caffe_compat.layers.caffes import BVLC_AND_SRN
from caffe_compat.layers.registry import register_layer


@register_layer("Split")
class Split(Layer):
    """Copies the bottom to every top; backward sums the tops' gradients."""

    hands_on = "in order"
    known_to = BVLC_AND_SRN
    tops = at_least(1)

    def top_shapes(self, *bottom_shapes: Shape) -> list[Shape]:
        return [bottom_shapes[0]] * self.spec.top_count

    def forward(self, bottom: Tensor) -> Tops:
        return tuple(bottom.view_as(bottom) for _ in range(self.spec.top_count))
