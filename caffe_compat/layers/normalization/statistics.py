"""Normalisation with a batch's own mean and variance, or with stored ones, for BatchNorm and BN."""

import torch
from torch import Tensor

from caffe_compat.errors import FieldError
from caffe_compat.layers.spec import LayerSpec
from caffe_compat.layers.zero_sums import centre_gradient, sums_are_careful


def require_eps(spec: LayerSpec, eps: float) -> float:
    """Returns eps; FieldError if eps is negative or NaN, because variance + eps must have a square root."""
    if not eps >= 0:
        raise FieldError(f"{spec}: expected eps of at least 0, got {eps:g}")
    return eps


def normalise_by_batch(
    values: Tensor, eps: float, slope: Tensor | None = None, bias: Tensor | None = None
) -> tuple[Tensor, Tensor, Tensor]:
    """Values (N, C, ...) normalised per channel, then scaled and shifted.

    Returns the top, and the channels' means and biased variances (C,).
    """
    dtype = torch.promote_types(values.dtype, torch.float32)
    mean = torch.zeros(values.shape[1], dtype=dtype, device=values.device)
    variance = torch.zeros_like(mean)
    # With momentum 1, torch writes the batch's mean and unbiased variance to its running statistics.
    values = centre_gradient(values) if values.requires_grad and sums_are_careful() else values
    cudnn = torch.backends.cudnn.enabled
    top = _laid_out_gradient(torch.batch_norm(values, slope, bias, mean, variance, True, 1.0, eps, cudnn))
    count = values.numel() // values.shape[1]
    biased = variance * ((count - 1) / count) if count > 1 else torch.zeros_like(variance)
    return top, mean, biased


def normalise_by_stored(
    values: Tensor, mean: Tensor, variance: Tensor, eps: float, slope: Tensor | None = None, bias: Tensor | None = None
) -> Tensor:
    """Values (N, C, ...) normalised with stored means and variances (C,), then scaled and shifted."""
    return _laid_out_gradient(torch.nn.functional.batch_norm(values, mean, variance, slope, bias, eps=eps))


def _laid_out_gradient(top: Tensor) -> Tensor:
    """The top unchanged; its gradient gets the same memory layout as the top.

    In torch 2.13 on the CPU, backward of batch normalisation confuses axes if one has size 1 and the gradient's layout
    differs. This happens before a Permute (CRNN: N x C x 1 x W). Code from torch.compile has its own backward and is
    not affected.
    """
    if top.requires_grad and not torch.compiler.is_compiling():
        strides = top.stride()
        top.register_hook(lambda gradient: _laid_out(gradient, strides))
    return top


def _laid_out(gradient: Tensor | None, strides: tuple[int, ...]) -> Tensor | None:
    if gradient is None or gradient.stride() == strides:  # None: no later layer depends on the top
        return gradient
    return gradient.new_empty_strided(gradient.shape, strides).copy_(gradient)
