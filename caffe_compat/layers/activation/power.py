"""Power (power_layer.cpp)."""

from torch import Tensor

from caffe_compat.layers.base import Layer, LayerSpec
from caffe_compat.layers.caffes import BVLC_AND_SRN
from caffe_compat.layers.registry import register_layer


@register_layer("Power")
class Power(Layer):
    """Top (shift + scale x) ** power, any shape; it is constant where power or scale is 0."""

    known_to = BVLC_AND_SRN
    keeps_shape = True

    def __init__(self, spec: LayerSpec) -> None:
        super().__init__(spec)
        params = spec.params("power_param")
        self.power: float = params.power
        self.scale: float = params.scale
        self.shift: float = params.shift

    def forward(self, bottom: Tensor) -> Tensor:
        if self.power * self.scale == 0:
            # 0 * x would give NaN at infinities; x ** 0 is 1 with gradient 0 everywhere.
            return bottom.pow(0) * (bottom.new_full((), self.shift) ** self.power)
        shifted = self.shift + self.scale * bottom
        return shifted if self.power == 1 else shifted.pow(self.power)
