"""BNLL: binomial normal log likelihood (bnll_layer.cpp)."""

import torch
from torch import Tensor

from caffe_compat.layers.base import Layer
from caffe_compat.layers.caffes import BVLC_AND_SRN
from caffe_compat.layers.registry import register_layer


@register_layer("BNLL")
class BNLL(Layer):
    """y = log(1 + exp(x)), any shape."""

    known_to = BVLC_AND_SRN
    keeps_shape = True

    def forward(self, bottom: Tensor) -> Tensor:
        # torch's softplus returns x itself above 20; Caffe computes the formula there too.
        return torch.logaddexp(bottom, torch.zeros_like(bottom))
