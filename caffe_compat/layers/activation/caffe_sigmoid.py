"""The sigmoid as Caffe computes it, for Sigmoid, Swish and SigmoidCrossEntropyLoss (sigmoid_layer.cpp)."""

from typing import Any

import torch
from torch import Tensor


def caffe_sigmoid(values: Tensor) -> Tensor:
    """0.5 tanh(0.5 x) + 0.5, any shape; the gradient is top_diff * y * (1 - y).

    In float32 the result is exactly 0 below about -18, where 1 / (1 + exp(-x)) still is a small number. A solver that
    divides by a gradient's size (Adam) or takes its sign (L1) trains otherwise with such a number than with 0.
    """
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
