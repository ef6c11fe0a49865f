"""Normalisation by a batch's own mean and variance, which BatchNorm and BN share."""

import torch
from torch import Tensor

from caffe_compat.errors import FieldError
from caffe_compat.layers.spec import LayerSpec
from caffe_compat.layers.zero_sums import centre_gradient, sums_are_careful


def require_eps(spec: LayerSpec, eps: float) -> float:
    """The eps, or FieldError where it is below 0 or NaN: a variance plus eps must have a root."""
    if not eps >= 0:
        raise FieldError(f"{spec}: expected eps of at least 0, got {eps:g}")
    return eps


def normalise_by_batch(
    values: Tensor, eps: float, slope: Tensor | None = None, bias: Tensor | None = None
) -> tuple[Tensor, Tensor, Tensor]:
    """(N, C, ...) normalised by channel, scaled and shifted; and the channels' means and biased variances."""
    dtype = torch.promote_types(values.dtype, torch.float32)
    mean = torch.zeros(values.shape[1], dtype=dtype, device=values.device)
    variance = torch.zeros_like(mean)
    # With momentum 1 torch leaves the batch's mean and unbiased variance in its running statistics.
    values = centre_gradient(values) if values.requires_grad and sums_are_careful() else values
    cudnn = torch.backends.cudnn.enabled
    top = _laid_out_gradient(torch.batch_norm(values, slope, bias, mean, variance, True, 1.0, eps, cudnn))
    count = values.numel() // values.shape[1]
    biased = variance * ((count - 1) / count) if count > 1 else torch.zeros_like(variance)
    return top, mean, biased


def normalise_by_stored(
    values: Tensor, mean: Tensor, variance: Tensor, eps: float, slope: Tensor | None = None, bias: Tensor | None = None
) -> Tensor:
    """(N, C, ...) normalised with the channels' stored means and variances (C,), scaled and shifted."""
    return _laid_out_gradient(torch.nn.functional.batch_norm(values, mean, variance, slope, bias, eps=eps))


def _laid_out_gradient(top: Tensor) -> Tensor:
    """The top itself, whose gradient will lie in memory as it does.

    torch 2.13's backward on the CPU mistakes the order of the axes where one has size 1 and the gradient lies
    otherwise, as behind a Permute (CRNN: N x C x 1 x W). What torch.compile makes has a backward of its own.
    """
    if top.requires_grad and not torch.compiler.is_compiling():
        strides = top.stride()
        top.register_hook(lambda gradient: _laid_out(gradient, strides))
    return top


def _laid_out(gradient: Tensor | None, strides: tuple[int, ...]) -> Tensor | None:
    if gradient is None or gradient.stride() == strides:  # None: nothing behind depends on the top
        return gradient
    return gradient.new_empty_strided(gradient.shape, strides).copy_(gradient)
