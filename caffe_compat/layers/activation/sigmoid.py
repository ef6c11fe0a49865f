"""Sigmoid (sigmoid_layer.cpp)."""

from typing import Any

import torch
from torch import Tensor

from caffe_compat.layers.base import Layer, LayerSpec, is_transformed
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


def caffe_sigmoid(values: Tensor) -> Tensor:
    """Returns 0.5 tanh(0.5 x) + 0.5 in the shape of `values`; the gradient is top_diff * y * (1 - y).

    In float32 the result is exactly 0 below about -18, where 1 / (1 + exp(-x)) is still a small positive number. The
    difference matters to solvers that divide by the size of a gradient (Adam) or use its sign (L1).
    """
    if is_transformed():
        return (values * 0.5).tanh() * 0.5 + 0.5
    top: Tensor = _CaffeSigmoid.apply(values)
    return top


class _CaffeSigmoid(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, values: Tensor) -> Tensor:
        top = (values * 0.5).tanh_().mul_(0.5).add_(0.5)
        context.save_for_backward(top)
        return top

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> Tensor:
        (top,) = context.saved_tensors
        gradient: Tensor = gradients[0] * (1 - top) * top
        return gradient
