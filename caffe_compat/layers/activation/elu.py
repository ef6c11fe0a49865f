"""ELU (elu_layer.cpp)."""

from torch import Tensor
from torch.nn import functional

from caffe_compat.layers.base import Layer, LayerSpec
from caffe_compat.layers.caffes import BVLC
from caffe_compat.layers.registry import register_layer


@register_layer("ELU")
class ELU(Layer):
    """Top x where x is above 0, else alpha (exp(x) - 1), any shape."""

    known_to = (BVLC,)
    keeps_shape = True

    def __init__(self, spec: LayerSpec) -> None:
        super().__init__(spec)
        self.alpha = spec.params("elu_param").alpha

    def forward(self, bottom: Tensor) -> Tensor:
        return functional.elu(bottom, self.alpha)
