"""TanH (tanh_layer.cpp)."""

import torch
from torch import Tensor

from caffe_compat.layers.base import Layer, LayerSpec
from caffe_compat.layers.caffes import BVLC_AND_SRN
from caffe_compat.layers.registry import register_layer


@register_layer("TanH")
class TanH(Layer):
    """y = tanh(x), any shape."""

    known_to = BVLC_AND_SRN
    caffe_backward_reads_top = True
    keeps_shape = True

    def __init__(self, spec: LayerSpec) -> None:
        super().__init__(spec)
        spec.params("tanh_param").ignore("engine")  # selects a kernel; results are the same

    def forward(self, bottom: Tensor) -> Tensor:
        return torch.tanh(bottom)
