"""Gradients that sum to zero, kept at zero.

Behind a normalisation by the batch a convolution's bias cannot matter: the gradients it sums cancel. Float32 leaves a
rest of rounding errors, which would move the bias by its last bits; Caffe's own rest mostly is too small for that. So
what cancels is summed in float64, where it costs least.
"""

from typing import Any

import torch
from torch import Tensor


class _AddBias(torch.autograd.Function):
    """top (N, C, ...) + bias (C,), whose gradient is summed in float64."""

    @staticmethod
    def forward(ctx: Any, top: Tensor, bias: Tensor) -> Tensor:
        ctx.mark_dirty(top)
        return top.add_(bias.view(-1, *[1] * (top.dim() - 2)))

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor]:
        (gradient,) = gradients
        return gradient, gradient.sum(_all_but_channels(gradient), dtype=torch.float64).to(gradient.dtype)


class _CentreGradient(torch.autograd.Function):
    """values as they are; the gradient (N, C, ...) less the mean of each channel, which is what rounding left."""

    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:
        return values.view_as(values)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        (gradient,) = gradients
        rest = gradient.mean(_all_but_channels(gradient), keepdim=True, dtype=torch.float64)
        return gradient - rest.to(gradient.dtype)


def _all_but_channels(values: Tensor) -> list[int]:
    return [axis for axis in range(values.dim()) if axis != 1]


def add_bias(top: Tensor, bias: Tensor) -> Tensor:
    """top (N, C, ...), which is overwritten, plus a learnable bias (C,)."""
    return _AddBias.apply(top, bias)  # type: ignore[no-any-return, no-untyped-call]


def centre_gradient(values: Tensor) -> Tensor:
    """values (N, C, ...), through which the gradients of each channel sum to zero."""
    return _CentreGradient.apply(values)  # type: ignore[no-any-return, no-untyped-call]
