"""ArgMax (argmax_layer.cpp)."""

import math

import torch
from torch import Tensor

from caffe_compat.errors import FieldError, ShapeError
from caffe_compat.layers.base import Layer, LayerSpec, Shape, index_type
from caffe_compat.layers.caffes import BVLC_AND_SRN
from caffe_compat.layers.registry import register_layer


@register_layer("ArgMax")
class ArgMax(Layer):
    """Indices of the `top_k` largest values; among equal values the last comes first. No gradient.

    With `axis`, that axis gets size k and holds indices, or values with `out_max_val`. Without `axis`, items are
    flattened: the top is (N, 1, k, 1 ...), or (N, 2, k, 1 ...) with indices and values.
    """

    known_to = BVLC_AND_SRN
    is_discrete = True
    no_gradient_to = True

    def __init__(self, spec: LayerSpec) -> None:
        super().__init__(spec)
        params = spec.params("argmax_param")
        self.axis: int | None = params.axis if params.has("axis") else None
        self.top_k: int = params.top_k
        self.out_max_val: bool = params.out_max_val
        if self.top_k < 1:
            raise FieldError(f"{spec}: expected top_k of at least 1, got {self.top_k}")

    def top_shapes(self, *bottom_shapes: Shape) -> list[Shape]:
        shape = bottom_shapes[0]
        if self.axis is not None:
            axis = self.canonical_axis(self.axis, len(shape))
            self._require_room(shape[axis])
            return [(*shape[:axis], self.top_k, *shape[axis + 1 :])]
        if not shape:
            raise ShapeError(f"{self.spec}: expected a bottom (N, ...), got a single number")
        self._require_room(math.prod(shape[1:]))
        rows = (shape[0], 1 + self.out_max_val, self.top_k)
        return [(*rows, *[1] * (len(shape) - 3))]

    def forward(self, bottom: Tensor) -> Tensor:
        if self.axis is None:
            values, indices = self._largest(bottom.reshape(bottom.shape[0], -1), 1)
            rows = torch.stack([indices, values], 1) if self.out_max_val else indices.unsqueeze(1)
            return rows.reshape(self.top_shapes(bottom.shape)[0])
        values, indices = self._largest(bottom, self.canonical_axis(self.axis, bottom.dim()))
        return values if self.out_max_val else indices

    def _largest(self, bottom: Tensor, axis: int) -> tuple[Tensor, Tensor]:
        size = bottom.shape[axis]
        self._require_room(size)
        # Caffe sorts (value, index) pairs. A stable sort of the flipped axis gives the same order for equal values.
        values, places = torch.sort(bottom.flip(axis), dim=axis, descending=True, stable=True)
        indices = size - 1 - places.narrow(axis, 0, self.top_k)
        return values.narrow(axis, 0, self.top_k), indices.to(index_type(bottom))

    def _require_room(self, size: int) -> None:
        if self.top_k > size:
            raise FieldError(f"{self.spec}: expected top_k of at most {size} (the values), got {self.top_k}")
