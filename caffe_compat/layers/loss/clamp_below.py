"""A lower bound on values that does not block gradients."""

from typing import Any

import torch
from torch import Tensor


class _ClampBelow(torch.autograd.Function):
    @staticmethod
    def forward(_: Any, values: Tensor, least: float) -> Tensor:
        return values.clamp(min=least)

    @staticmethod
    def backward(_: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return gradients[0], None


def clamp_below(values: Tensor, least: float) -> Tensor:
    """max(values, least), with gradient 1 everywhere: Caffe bounds probabilities in forward but not in backward."""
    clamped: Tensor = _ClampBelow.apply(values, least)
    return clamped
