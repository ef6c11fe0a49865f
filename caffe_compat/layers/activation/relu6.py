"""ReLU6 (relu6_layer.cpp).

From the MobileNet forks.
"""

import math

from torch import Tensor
from torch.nn import functional

from caffe_compat.layers.base import Layer, LayerSpec
from caffe_compat.layers.caffes import Meaning
from caffe_compat.layers.registry import register_layer


@register_layer("ReLU6")
class ReLU6(Layer):
    """Top min(r, 6), where r is x above 0, else negative_slope x; the gradient at 6 is 0."""

    known_to = ("MobileNet forks",)
    meanings = (
        Meaning(
            "MobileNet forks",
            "min(max(x, 0), 6)",
            "relu6_param",
        ),
        Meaning(
            "openvinotoolkit/training_toolbox_caffe",
            "another limit by n",
            "n",
            "refused",
        ),
    )
    keeps_shape = True

    def __init__(self, spec: LayerSpec) -> None:
        super().__init__(spec)
        self.negative_slope = spec.params("relu6_param").negative_slope

    def forward(self, bottom: Tensor) -> Tensor:
        # clamp would pass a gradient of 1 at exactly 6; Caffe's gradient there is 0, as is hardtanh's.
        return functional.hardtanh(functional.leaky_relu(bottom, self.negative_slope), -math.inf, 6.0)
