"""Normalisation by a batch's own mean and variance, which BatchNorm and BN share."""

import torch
from torch import Tensor

from caffe_compat.layers.zero_sums import centre_gradient, sums_are_careful


def normalise_by_batch(
    values: Tensor, eps: float, slope: Tensor | None = None, bias: Tensor | None = None
) -> tuple[Tensor, Tensor, Tensor]:
    """(N, C, ...) normalised by channel, scaled and shifted; and the channels' means and biased variances."""
    dtype = torch.promote_types(values.dtype, torch.float32)
    mean = torch.zeros(values.shape[1], dtype=dtype, device=values.device)
    variance = torch.zeros_like(mean)
    # With momentum 1 torch leaves the batch's mean and unbiased variance in its running statistics.
    cudnn = torch.backends.cudnn.enabled
    values = centre_gradient(values) if values.requires_grad and sums_are_careful() else values
    top = torch.batch_norm(values, slope, bias, mean, variance, True, 1.0, eps, cudnn)
    count = values.numel() // values.shape[1]
    biased = variance * ((count - 1) / count) if count > 1 else torch.zeros_like(variance)
    return top, mean, biased
