"""Threshold (threshold_layer.cpp)."""

from torch import Tensor

from caffe_compat.layers.base import Layer, LayerSpec
from caffe_compat.layers.caffes import BVLC_AND_SRN
from caffe_compat.layers.registry import register_layer


@register_layer("Threshold")
class Threshold(Layer):
    """Top 1 where x is above `threshold`, else 0, any shape; no gradient."""

    known_to = BVLC_AND_SRN
    is_discrete = True
    no_gradient_to = True
    keeps_shape = True

    def __init__(self, spec: LayerSpec) -> None:
        super().__init__(spec)
        self.threshold: float = spec.params("threshold_param").threshold

    def forward(self, bottom: Tensor) -> Tensor:
        return (bottom > self.threshold).to(bottom.dtype)
