"""ContrastiveLoss (contrastive_loss_layer.cpp)."""

import math

import torch
from torch import Tensor
from torch.nn import functional

from caffe_compat.errors import ShapeError
from caffe_compat.layers.base import LayerSpec, LossLayer, Shape, exactly
from caffe_compat.layers.caffes import BVLC_AND_SRN
from caffe_compat.layers.registry import register_layer


@register_layer("ContrastiveLoss")
class ContrastiveLoss(LossLayer):
    """Sum of d^2 for similar pairs (label not 0) and max(margin - d, 0)^2 for others, over 2N; d = |a - b|.

    Bottoms: a and b (N, C), labels (N,); each may have further axes of size 1. `legacy_version` uses max(margin - d^2,
    0) for pairs that are not similar.
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

    def top_shapes(self, *bottom_shapes: Shape) -> list[Shape]:
        a, b, similar = bottom_shapes
        pairs = _pairs_shape(self.spec, a, b)[0]
        if math.prod(similar) != pairs:
            raise ShapeError(f"{self.spec}: expected {pairs} labels (one a pair), got {math.prod(similar)}")
        return [()]

    def whole_numbers(self, *_bottom_shapes: Shape) -> dict[int, int]:
        return {2: 2}  # labels: 1 similar, 0 not

    def forward(self, a: Tensor, b: Tensor, similar: Tensor) -> Tensor:
        self.top_shapes(a.shape, b.shape, similar.shape)
        shape = _pairs_shape(self.spec, a.shape, b.shape)
        squared = (a.reshape(shape) - b.reshape(shape)).square().sum(1)
        losses = torch.where(similar.flatten().long() != 0, squared, self._apart(squared))
        return losses.sum() / shape[0] / 2

    def _apart(self, squared: Tensor) -> Tensor:
        if self.legacy_version:
            return functional.relu(self.margin - squared)
        # Caffe's backward divides by d + 1e-4, so that equal pairs have a gradient. Hence the value of d with the
        # gradient of `steady`.
        distance = squared.detach().sqrt()
        steady = squared / (2 * (distance + 1e-4))
        return functional.relu(self.margin - (distance + steady - steady.detach())).square()


def _pairs_shape(spec: LayerSpec, a: Shape, b: Shape) -> Shape:
    """The common shape (N, C) of a and b; as in Caffe, axes of size 1 may follow C, and C may be omitted if 1."""
    one, other = ((*shape, 1)[:2] for shape in (a, b))
    if not a or not b or one != other or math.prod(a[2:]) != 1 or math.prod(b[2:]) != 1:
        raise ShapeError(f"{spec}: expected two bottoms (N, C) of one shape, got {tuple(a)} and {tuple(b)}")
    return one
