"""Gradients that sum to zero, kept at zero.

Behind a normalisation by the batch a convolution's bias cannot matter: the gradients it sums cancel. Float32 leaves a
rest of rounding errors, which would move the bias by its last bits; Caffe's own rest mostly is too small for that. So
what cancels is summed in float64 while the exact engine runs; the fast one saves itself the passes over the data.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import numpy as np
import torch
from torch import Tensor

_CAREFUL: ContextVar[bool] = ContextVar("careful sums", default=False)


@contextmanager
def careful_sums() -> Iterator[None]:
    """Layers that run within make graphs whose cancelling sums are exact."""
    token = _CAREFUL.set(True)
    try:
        yield
    finally:
        _CAREFUL.reset(token)


def sums_are_careful() -> bool:
    """Whether cancelling sums are to be exact now."""
    return not torch.compiler.is_compiling() and _CAREFUL.get()


class _AddBias(torch.autograd.Function):
    """top (N, C, ...) + bias (C,), whose gradient is summed in float64."""

    @staticmethod
    def forward(ctx: Any, top: Tensor, bias: Tensor) -> Tensor:
        ctx.mark_dirty(top)
        return top.add_(bias.view(-1, *[1] * (top.dim() - 2)))

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor]:
        (gradient,) = gradients
        return gradient, _channel_sums(gradient).to(gradient.dtype)


class _CentreGradient(torch.autograd.Function):
    """values as they are; the gradient (N, C, ...) less the mean of each channel, which is what rounding left."""

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
    """The sums in float64 (C,) of values (N, C, ...)."""
    axes = tuple(axis for axis in range(values.dim()) if axis != 1)
    if values.device.type == "cpu" and values.dtype == torch.float32:
        # NumPy widens numbers as it sums them; torch would first write all of them out as float64, at 4 times the time.
        return torch.from_numpy(np.add.reduce(values.detach().numpy(), axis=axes, dtype=np.float64))
    return values.sum(axes, dtype=torch.float64)


def add_bias(top: Tensor, bias: Tensor) -> Tensor:
    """top (N, C, ...), which is overwritten, plus a learnable bias (C,)."""
    sums: Tensor = _AddBias.apply(top, bias)
    return sums


def centre_gradient(values: Tensor) -> Tensor:
    """values (N, C, ...), through which the gradients of each channel sum to zero."""
    same: Tensor = _CentreGradient.apply(values)
    return same
