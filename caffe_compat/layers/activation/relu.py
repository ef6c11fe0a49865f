"""ReLU (relu_layer.cpp)."""

from torch import Tensor
from torch.nn import functional

from caffe_compat.layers.base import Layer, LayerSpec
from caffe_compat.layers.caffes import BVLC_AND_SRN
from caffe_compat.layers.registry import register_layer


@register_layer("ReLU")
class ReLU(Layer):
    """Top x where x is above 0, else negative_slope x; the gradient at 0 is negative_slope."""

    known_to = BVLC_AND_SRN
    keeps_shape = True

    def __init__(self, spec: LayerSpec) -> None:
        super().__init__(spec)
        params = spec.params("relu_param")
        params.ignore("engine")  # selects a kernel; results are the same
        self.negative_slope: float = params.negative_slope

    @property
    def growth(self) -> float:
        return max(abs(self.negative_slope), 1.0)

    def forward(self, bottom: Tensor) -> Tensor:
        if self.negative_slope == 0:
            return functional.relu(bottom)
        return functional.leaky_relu(bottom, self.negative_slope)
