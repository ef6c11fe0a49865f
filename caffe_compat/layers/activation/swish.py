"""Swish (swish_layer.cpp)."""

from torch import Tensor

from caffe_compat.layers.activation.sigmoid import caffe_sigmoid
from caffe_compat.layers.base import Layer, LayerSpec
from caffe_compat.layers.caffes import BVLC
from caffe_compat.layers.registry import register_layer


@register_layer("Swish")
class Swish(Layer):
    """y = x sigmoid(beta x), any shape."""

    known_to = (BVLC,)
    keeps_shape = True

    def __init__(self, spec: LayerSpec) -> None:
        super().__init__(spec)
        self.beta = spec.params("swish_param").beta

    def forward(self, bottom: Tensor) -> Tensor:
        return bottom * caffe_sigmoid(self.beta * bottom)
