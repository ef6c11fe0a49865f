"""Flatten (flatten_layer.cpp)."""

import math

from torch import Tensor

from caffe_compat.errors import FieldError
from caffe_compat.layers.base import Layer, LayerSpec, Shape
from caffe_compat.layers.caffes import BVLC_AND_SRN
from caffe_compat.layers.registry import register_layer


@register_layer("Flatten")
class Flatten(Layer):
    """Merges the axes from `axis` to `end_axis`, both included, into a single axis."""

    hands_on = "in order"
    known_to = BVLC_AND_SRN
    allows_in_place = False

    def __init__(self, spec: LayerSpec) -> None:
        super().__init__(spec)
        params = spec.params("flatten_param")
        self.axis: int = params.axis
        self.end_axis: int = params.end_axis

    def top_shapes(self, *bottom_shapes: Shape) -> list[Shape]:
        shape = bottom_shapes[0]
        first = self.canonical_axis(self.axis, len(shape))
        last = self.canonical_axis(self.end_axis, len(shape), "end_axis")
        if last < first - 1:
            raise FieldError(f"{self.spec}: expected end_axis of at least {first} (axis), got {last}")
        return [(*shape[:first], math.prod(shape[first : last + 1]), *shape[last + 1 :])]

    def forward(self, bottom: Tensor) -> Tensor:
        return bottom.reshape(self.top_shapes(bottom.shape)[0])
