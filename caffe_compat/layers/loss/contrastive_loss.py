"""ContrastiveLoss (contrastive_loss_layer.cpp)."""

import torch
from torch import Tensor
from torch.nn import functional

from caffe_compat.errors import ShapeError
from caffe_compat.layers.base import LayerSpec, LossLayer, Shape, exactly
from caffe_compat.layers.caffes import BVLC_AND_SRN
from caffe_compat.layers.registry import register_layer


@register_layer("ContrastiveLoss")
class ContrastiveLoss(LossLayer):
    """1 / 2N sum of d^2 for similar pairs (label not 0) and max(margin - d, 0)^2 for others, d = |a - b|.

    Bottoms: a and b (N, C), labels (N), each with any number of axes of size 1 behind. `legacy_version` has
    max(margin - d^2, 0) for others.
    """

    known_to = BVLC_AND_SRN
    bottoms = exactly(3)
    no_gradient_to = frozenset({2})
    leaves_out_gradient_to = no_gradient_to

    def __init__(self, spec: LayerSpec) -> None:
        super().__init__(spec)
        params = spec.params("contrastive_loss_param")
        self.margin = params.margin
        self.legacy_version = params.legacy_version

    def whole_numbers(self, *_bottom_shapes: Shape) -> dict[int, int]:
        return {2: 2}  # a pair is similar or not

    def forward(self, a: Tensor, b: Tensor, similar: Tensor) -> Tensor:
        one, other = _pairs(self.spec, a, b)
        if similar.numel() != len(one):
            raise ShapeError(f"{self.spec}: expected {len(one)} labels (one a pair), got {similar.numel()}")
        squared = (one - other).square().sum(1)
        losses = torch.where(similar.flatten().long() != 0, squared, self._apart(squared))
        return losses.sum() / len(one) / 2

    def _apart(self, squared: Tensor) -> Tensor:
        if self.legacy_version:
            return functional.relu(self.margin - squared)
        # Backward divides by d + 1e-4, so that equal pairs have a gradient: the slope of `steady`, the value of d.
        distance = squared.detach().sqrt()
        steady = squared / (2 * (distance + 1e-4))
        return functional.relu(self.margin - (distance + steady - steady.detach())).square()


def _pairs(spec: LayerSpec, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """Both bottoms as (N, C). As in Caffe, axes of size 1 may follow C, and C may be left out where it is 1."""
    one, other = (bottom.reshape(*bottom.shape[:1], bottom.shape[1:].numel()) for bottom in (a, b))
    if one.dim() != 2 or one.shape != other.shape or any(bottom.shape[2:].numel() != 1 for bottom in (a, b)):
        raise ShapeError(f"{spec}: expected two bottoms (N, C) of one shape, got {tuple(a.shape)} and {tuple(b.shape)}")
    return one, other
