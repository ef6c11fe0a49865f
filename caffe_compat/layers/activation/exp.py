"""Exp (exp_layer.cpp), and the field `base`, which Log reads in the same way."""

import math

import torch
from torch import Tensor

from caffe_compat.errors import FieldError
from caffe_compat.layers.base import Layer, LayerSpec
from caffe_compat.layers.caffes import BVLC_AND_SRN
from caffe_compat.layers.registry import register_layer


def natural_logarithm_of_base(spec: LayerSpec, base: float) -> float:
    """Returns the natural logarithm of `base`, or 1 for -1 (e); FieldError for any other base not above 0."""
    if base == -1:
        return 1.0
    if base <= 0:
        raise FieldError(f"{spec}: expected base above 0, or -1 for e, got {base}")
    return math.log(base)


@register_layer("Exp")
class Exp(Layer):
    """Top base ** (shift + scale x), any shape; base -1 stands for e."""

    known_to = BVLC_AND_SRN
    caffe_backward_reads_top = True
    keeps_shape = True

    def __init__(self, spec: LayerSpec) -> None:
        super().__init__(spec)
        params = spec.params("exp_param")
        log_base = natural_logarithm_of_base(spec, params.base)
        self.scale = log_base * params.scale
        self.shift = log_base * params.shift

    def forward(self, bottom: Tensor) -> Tensor:
        return torch.exp(self.shift + self.scale * bottom)
