"""BatchReduction (batch_reduction_layer.cpp).

From yjxiong/caffe.
"""

import torch
from torch import Tensor

from caffe_compat.errors import FieldError, ShapeError
from caffe_compat.layers.base import Layer, LayerSpec, Shape
from caffe_compat.layers.caffes import SRN_FORK
from caffe_compat.layers.registry import register_layer
from caffe_compat.layers.utility.reduction import require_k, top_k_mean

OPERATIONS = ("SUM", "MEAN", "TOPK")


@register_layer("BatchReduction")
class BatchReduction(Layer):
    """Reduces groups of entries along an axis: level l takes the next l * l entries and gives one entry.

    The top has one entry per level on that axis. With the default `level: 1` alone, the axis is removed. TOPK is the
    mean of the k largest entries and accepts only one level.
    """

    known_to = (SRN_FORK,)

    def __init__(self, spec: LayerSpec) -> None:
        super().__init__(spec)
        params = spec.params("batch_reduction_param")
        self.levels: list[int] = params.level or [1]
        reduction = params.nested("reduction_param")
        self.operation: str = reduction.operation
        self.axis: int = reduction.axis
        k: int = reduction.k  # the fork accepts k for the other operations too, without effect
        self.k = k if self.operation == "TOPK" else 0
        if self.operation not in OPERATIONS:
            raise FieldError(f"{spec}: expected operation {', '.join(OPERATIONS)}, got {self.operation}")
        if self.operation == "TOPK" and len(self.levels) > 1:
            raise FieldError(f"{spec}: expected one level for TOPK, got {self.levels}")

    def top_shapes(self, *bottom_shapes: Shape) -> list[Shape]:
        shape = bottom_shapes[0]
        axis = self.canonical_axis(self.axis, len(shape))
        levels = [] if self.levels == [1] else [len(self.levels)]
        if levels and sum(self._pieces()) != shape[axis]:
            raise ShapeError(
                f"{self.spec}: expected an axis {axis} of size {sum(self._pieces())} (levels {self.levels}, squared), "
                f"got {shape[axis]}"
            )
        if self.operation == "TOPK":
            require_k(self.spec, self.k, self._pieces()[0] if levels else shape[axis])
        return [(*shape[:axis], *levels, *shape[axis + 1 :])]

    def _pieces(self) -> list[int]:
        """The number of entries of each level."""
        return [level * level for level in self.levels]

    def forward(self, bottom: Tensor) -> Tensor:
        self.top_shapes(bottom.shape)
        axis = self.canonical_axis(self.axis, bottom.dim())
        if self.levels == [1]:
            return self._reduced(bottom, axis)
        pieces = self._pieces()
        return torch.stack([self._reduced(piece, axis) for piece in torch.split(bottom, pieces, axis)], axis)

    def _reduced(self, piece: Tensor, axis: int) -> Tensor:
        if self.operation == "TOPK":
            return top_k_mean(self.spec, piece, axis, self.k)
        return piece.mean(axis) if self.operation == "MEAN" else piece.sum(axis)
