"""Clip (clip_layer.cpp)."""

from torch import Tensor

from caffe_compat.errors import FieldError
from caffe_compat.layers.base import Layer, LayerSpec
from caffe_compat.layers.caffes import BVLC
from caffe_compat.layers.registry import register_layer


@register_layer("Clip")
class Clip(Layer):
    """y = min(max(x, min), max); the gradient passes at both ends."""

    known_to = (BVLC,)
    example = "clip_param { min: 0 max: 1 }"

    def __init__(self, spec: LayerSpec) -> None:
        super().__init__(spec)
        params = spec.params("clip_param")
        if not (params.has("min") and params.has("max")):
            raise FieldError(f"{spec}: expected clip_param with min and max, which have no defaults")
        self.least = params.min
        self.most = params.max

    def forward(self, bottom: Tensor) -> Tensor:
        return bottom.clamp(self.least, self.most)
