"""Clip (clip_layer.cpp)."""

import math

from torch import Tensor

from caffe_compat.errors import FieldError
from caffe_compat.layers.base import Layer, LayerSpec
from caffe_compat.layers.caffes import BVLC
from caffe_compat.layers.registry import register_layer


@register_layer("Clip")
class Clip(Layer):
    """Top max(min, min(x, max)), any shape; gradients pass where x equals either bound.

    NaN becomes `min`, with gradient 0: on Caffe's CPU every comparison with NaN is false.
    """

    known_to = (BVLC,)
    example = "clip_param { min: 0 max: 1 }"
    keeps_shape = True

    def __init__(self, spec: LayerSpec) -> None:
        super().__init__(spec)
        params = spec.params("clip_param")
        if not (params.has("min") and params.has("max")):
            raise FieldError(f"{spec}: expected clip_param with min and max, which have no defaults")
        self.least = params.min
        self.most = params.max

    def forward(self, bottom: Tensor) -> Tensor:
        numbers = bottom.nan_to_num(nan=self.least, posinf=math.inf, neginf=-math.inf)
        return numbers.clamp(self.least, self.most)
