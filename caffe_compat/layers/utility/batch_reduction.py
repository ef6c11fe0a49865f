"""BatchReduction (batch_reduction_layer.cpp).

From yjxiong/caffe.
"""

import torch
from torch import Tensor

from caffe_compat.errors import FieldError, ShapeError
from caffe_compat.layers.base import Layer, LayerSpec
from caffe_compat.layers.caffes import SRN_FORK
from caffe_compat.layers.registry import register_layer
from caffe_compat.layers.utility.top_k_mean import top_k_mean

OPERATIONS = ("SUM", "MEAN", "TOPK")


@register_layer("BatchReduction")
class BatchReduction(Layer):
    """Sums or averages pieces of one axis: level l is the next l * l entries.

    The axis gets one entry a level. `level: 1` alone, the default, takes the whole axis away. TOPK is the mean of the k
    largest and takes one level.
    """

    known_to = (SRN_FORK,)

    def __init__(self, spec: LayerSpec) -> None:
        super().__init__(spec)
        params = spec.params("batch_reduction_param")
        self.levels: list[int] = params.level or [1]
        reduction = params.nested("reduction_param")
        self.operation: str = reduction.operation
        self.axis: int = reduction.axis
        self.k: int = reduction.k if self.operation == "TOPK" else 0
        if self.operation not in OPERATIONS:
            raise FieldError(f"{spec}: expected operation {', '.join(OPERATIONS)}, got {self.operation}")
        if self.operation == "TOPK" and len(self.levels) > 1:
            raise FieldError(f"{spec}: expected one level for TOPK, got {self.levels}")

    def forward(self, bottom: Tensor) -> Tensor:
        axis = self.canonical_axis(self.axis, bottom.dim())
        if self.levels == [1]:
            return self._reduced(bottom, axis)
        pieces = [level * level for level in self.levels]
        if sum(pieces) != bottom.shape[axis]:
            raise ShapeError(
                f"{self.spec}: expected an axis {axis} of size {sum(pieces)} (levels {self.levels}, squared), "
                f"got {bottom.shape[axis]}"
            )
        return torch.stack([self._reduced(piece, axis) for piece in torch.split(bottom, pieces, axis)], axis)

    def _reduced(self, piece: Tensor, axis: int) -> Tensor:
        if self.operation == "TOPK":
            return top_k_mean(self.spec, piece, axis, self.k)
        return piece.mean(axis) if self.operation == "MEAN" else piece.sum(axis)
