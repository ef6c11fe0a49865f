"""Log (log_layer.cpp)."""

import torch
from torch import Tensor

from caffe_compat.errors import FieldError
from caffe_compat.layers.activation.exp import natural_logarithm_of_base
from caffe_compat.layers.base import Layer, LayerSpec
from caffe_compat.layers.caffes import BVLC_AND_SRN
from caffe_compat.layers.registry import register_layer


@register_layer("Log")
class Log(Layer):
    """Top log(shift + scale x) to the base `base`, any shape; base -1 stands for e."""

    known_to = BVLC_AND_SRN
    keeps_shape = True

    def __init__(self, spec: LayerSpec) -> None:
        super().__init__(spec)
        params = spec.params("log_param")
        self.log_base = natural_logarithm_of_base(spec, params.base)
        if self.log_base == 0:
            raise FieldError(f"{spec}: expected a base other than 1, whose logarithm is 0")
        self.scale = params.scale
        self.shift = params.shift

    def forward(self, bottom: Tensor) -> Tensor:
        return torch.log(self.shift + self.scale * bottom) / self.log_base
