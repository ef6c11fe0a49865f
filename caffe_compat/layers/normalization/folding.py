"""Folds a normalisation with stored statistics into the weights of the linear layer before it.

y = s (W x + b - m) + t = (s W) x + (s (b - m) + t), with s = slope / sqrt(variance + eps). Computed in float64 and
rounded once.
"""

import torch
from torch import Tensor

Affine = tuple[Tensor, Tensor]


def affine_of(
    mean: Tensor, variance: Tensor, eps: float, gain: Tensor | None = None, bias: Tensor | None = None
) -> Affine:
    """Slope and shift (C,) in float64, from statistics, gain and bias (C,); None means gain 1 or bias 0."""
    mean, variance = _flat(mean), _flat(variance)
    slope = torch.rsqrt(variance + eps) if gain is None else _flat(gain) * torch.rsqrt(variance + eps)
    shift = -mean * slope if bias is None else _flat(bias) - mean * slope
    return slope, shift


def fold_into(affine: Affine, weight: Tensor, bias: Tensor | None) -> tuple[Tensor, Tensor]:
    """The weight (C, ...) and bias (C,) of a linear layer that includes the affine map which follows it."""
    slope, shift = affine
    folded = weight.double() * slope.view(-1, *[1] * (weight.dim() - 1))
    moved = shift if bias is None else _flat(bias) * slope + shift
    return folded.to(weight.dtype), moved.to(weight.dtype)


def _flat(values: Tensor) -> Tensor:
    return values.reshape(-1).double()
