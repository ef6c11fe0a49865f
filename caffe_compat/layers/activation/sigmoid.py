"""Sigmoid (sigmoid_layer.cpp)."""

from torch import Tensor

from caffe_compat.layers.activation.caffe_sigmoid import caffe_sigmoid
from caffe_compat.layers.base import Layer, LayerSpec
from caffe_compat.layers.caffes import BVLC_AND_SRN
from caffe_compat.layers.registry import register_layer


@register_layer("Sigmoid")
class Sigmoid(Layer):
    """Top 1 / (1 + exp(-x)), any shape, computed by Caffe's own formula (see `caffe_sigmoid`)."""

    known_to = BVLC_AND_SRN
    caffe_backward_reads_top = True
    keeps_shape = True

    def __init__(self, spec: LayerSpec) -> None:
        super().__init__(spec)
        spec.params("sigmoid_param").ignore("engine")  # selects a kernel; results are the same

    def forward(self, bottom: Tensor) -> Tensor:
        return caffe_sigmoid(bottom)
