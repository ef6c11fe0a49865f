"""Slice (slice_layer.cpp)."""

from itertools import pairwise

import torch
from torch import Tensor

from caffe_compat.errors import FieldError, ShapeError
from caffe_compat.layers.base import Layer, LayerSpec, Shape, Tops, at_least
from caffe_compat.layers.caffes import BVLC_AND_SRN
from caffe_compat.layers.registry import register_layer
from caffe_compat.layers.utility.concat import read_axis


@register_layer("Slice")
class Slice(Layer):
    """Splits the bottom along `axis`: at each `slice_point`, or into equal parts."""

    hands_on = "moved"
    known_to = BVLC_AND_SRN
    tops = at_least(1)

    def __init__(self, spec: LayerSpec) -> None:
        super().__init__(spec)
        params = spec.params("slice_param")
        self.axis = read_axis(spec, params, "slice_dim")
        self.points: list[int] = params.slice_point
        if self.points and len(self.points) != spec.top_count - 1:
            raise FieldError(
                f"{spec}: expected {spec.top_count - 1} values of slice_point (one less than tops), "
                f"got {len(self.points)}"
            )

    def top_shapes(self, *bottom_shapes: Shape) -> list[Shape]:
        shape = bottom_shapes[0]
        axis = self.canonical_axis(self.axis, len(shape))
        return [(*shape[:axis], size, *shape[axis + 1 :]) for size in self._sizes(shape[axis])]

    def forward(self, bottom: Tensor) -> Tops:
        axis = self.canonical_axis(self.axis, bottom.dim())
        return torch.split(bottom, self._sizes(bottom.shape[axis]), axis)

    def _sizes(self, size: int) -> list[int]:
        if not self.points:
            return self._equal_sizes(size)
        sizes = [end - start for start, end in pairwise([0, *self.points, size])]
        if min(sizes) <= 0:
            raise FieldError(f"{self.spec}: expected slice_point rising within (0, {size}), got {self.points}")
        return sizes

    def _equal_sizes(self, size: int) -> list[int]:
        tops = self.spec.top_count
        if size % tops:
            raise ShapeError(f"{self.spec}: expected a size that {tops} tops divide, or slice_point; got {size}")
        return [size // tops] * tops
