"""Caffe's MVN (mean-variance normalisation)."""

from typing import Any

import torch
from torch import Tensor

from caffe_compat.errors import ShapeError
from caffe_compat.layers.base import Layer, LayerSpec, Shape, is_transformed
from caffe_compat.layers.caffes import BVLC_AND_SRN
from caffe_compat.layers.registry import register_layer


@register_layer("MVN")
class MVN(Layer):
    """Top (x - mean) / (standard deviation + eps) per channel, or per item with across_channels.

    As in Caffe, the top has 4 axes even if the bottom has fewer.
    """

    known_to = BVLC_AND_SRN
    caffe_backward_reads_top = True

    def __init__(self, spec: LayerSpec) -> None:
        super().__init__(spec)
        params = spec.params("mvn_param")
        self.normalizes_variance: bool = params.normalize_variance
        self.eps: float = params.eps
        self.first_axis = 1 if params.across_channels else 2

    def top_shapes(self, *bottom_shapes: Shape) -> list[Shape]:
        shape = bottom_shapes[0]
        if len(shape) > 4:
            raise ShapeError(f"{self.spec}: expected at most 4 axes, got {list(shape)}")
        return [(*shape, *(4 - len(shape)) * [1])]

    def forward(self, bottom: Tensor) -> Tensor:
        image = bottom.reshape(self.top_shapes(bottom.shape)[0])
        rows = image.flatten(self.first_axis)
        rows = rows - rows.mean(dim=-1, keepdim=True)
        if self.normalizes_variance:
            rows = unit_variance(rows, self.eps)
        return rows.reshape(image.shape)


def unit_variance(rows: Tensor, eps: float) -> Tensor:
    """Rows of zero mean, each divided by (its standard deviation + eps)."""
    if is_transformed():
        # The derivatives differ from Caffe's by eps / deviation of their size.
        return rows / _deviation(rows, eps, is_bounded=True)
    divided: Tensor = _UnitVariance.apply(rows, eps)
    return divided


def _deviation(rows: Tensor, eps: float, is_bounded: bool) -> Tensor:
    """The standard deviation + eps, (..., 1). A bound keeps the derivatives of equal values finite."""
    variance = rows.square().mean(dim=-1, keepdim=True)
    return (variance.clamp(min=torch.finfo(rows.dtype).tiny) if is_bounded else variance).sqrt() + eps


class _UnitVariance(torch.autograd.Function):
    """y = x / (sqrt(mean of x^2) + eps) per row of zero mean, with Caffe's gradient, which has a gradient as well.

    Caffe's backward treats eps as part of the deviation. The gradient thus stays finite for a row of equal values,
    where the true derivative does not exist.
    """

    @staticmethod
    def forward(context: Any, rows: Tensor, eps: float) -> Tensor:
        context.save_for_backward(rows)
        context.eps = eps
        return rows / _deviation(rows, eps, is_bounded=False)

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor, None]:
        (rows,) = context.saved_tensors  # from these, so that a second derivative passes through top and deviation
        deviation = _deviation(rows, context.eps, is_bounded=torch.is_grad_enabled())
        top = rows / deviation
        return (gradient - top * (gradient * top).mean(dim=-1, keepdim=True)) / deviation, None
