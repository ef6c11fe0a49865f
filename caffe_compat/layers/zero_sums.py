"""Keeps at zero those gradients that are zero in exact arithmetic.

Before a batch normalisation, the bias of a convolution has no effect, so the terms of its gradient cancel. In float32
the sum leaves a rounding error that would move the bias by its last bits. Caffe's own error is mostly too small for
that. The exact engine therefore sums such terms in float64; the fast engine skips this extra pass over the data.
"""

from typing import Any

import numpy as np
import torch
from torch import Tensor


class _AddBias(torch.autograd.Function):
    """top (N, C, ...) + bias (C,), with the gradient of the bias summed in float64."""

    @staticmethod
    def forward(ctx: Any, top: Tensor, bias: Tensor) -> Tensor:
        ctx.mark_dirty(top)
        return top.add_(bias.view(-1, *[1] * (top.dim() - 2)))

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor]:
        (gradient,) = gradients
        return gradient, _channel_sums(gradient).to(gradient.dtype)


class _CentreGradient(torch.autograd.Function):
    """Identity on `values`; backward subtracts from the gradient (N, C, ...) each channel's mean (a rounding error)."""

    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:
        return values.view_as(values)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        (gradient,) = gradients
        channels = gradient.shape[1]
        rest = _channel_sums(gradient) / (gradient.numel() // channels)
        return gradient - rest.to(gradient.dtype).view(channels, *[1] * (gradient.dim() - 2))


def _channel_sums(values: Tensor) -> Tensor:
    """The float64 sums (C,) over all axes of values (N, C, ...) but axis 1."""
    axes = tuple(axis for axis in range(values.dim()) if axis != 1)
    if values.device.type == "cpu" and values.dtype == torch.float32:
        # NumPy converts to float64 while it sums; torch would first store a float64 copy, which takes 4 times as long.
        return torch.from_numpy(np.add.reduce(values.detach().numpy(), axis=axes, dtype=np.float64))
    return values.sum(axes, dtype=torch.float64)


def add_bias(top: Tensor, bias: Tensor) -> Tensor:
    """Adds a learnable bias (C,) to top (N, C, ...) and returns the result; `top` is overwritten."""
    sums: Tensor = _AddBias.apply(top, bias)
    return sums


def centre_gradient(values: Tensor) -> Tensor:
    """Returns values (N, C, ...) unchanged; in backward the gradients of each channel sum to zero."""
    same: Tensor = _CentreGradient.apply(values)
    return same
