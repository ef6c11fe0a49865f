"""Reshape (reshape_layer.cpp)."""

import math

from torch import Tensor

from caffe_compat.errors import FieldError, ShapeError
from caffe_compat.layers.base import Layer, LayerSpec, Shape
from caffe_compat.layers.caffes import BVLC_AND_SRN, Meaning
from caffe_compat.layers.registry import register_layer


@register_layer("Reshape")
class Reshape(Layer):
    """The same values in a new shape: size 0 copies the bottom's size; -1, allowed once, takes what remains.

    `axis` and `num_axes` (-1: all) select the axes to replace; axis -1 is the position after the last axis.
    """

    hands_on = "in order"
    known_to = BVLC_AND_SRN
    meanings = (
        Meaning(
            "BVLC and all forks",
            "other sizes of the same numbers",
            "reshape_param",
        ),
        Meaning(
            "Intel",
            "moves channels to pixels by pixelshuffler",
            "pixelshuffler",
            "refused",
        ),
    )
    allows_in_place = False

    def __init__(self, spec: LayerSpec) -> None:
        super().__init__(spec)
        params = spec.params("reshape_param")
        self.sizes: Shape = tuple(params.shape.dim)
        self.axis: int = params.axis
        self.num_axes: int = params.num_axes
        if self.sizes.count(-1) > 1:
            raise FieldError(f"{spec}: expected at most one dim of -1, got {list(self.sizes)}")
        if any(size < -1 for size in self.sizes):
            raise FieldError(f"{spec}: expected dims of at least -1, got {list(self.sizes)}")
        if self.num_axes < -1:
            raise FieldError(f"{spec}: expected num_axes of at least -1 (all), got {self.num_axes}")

    def top_shapes(self, *bottom_shapes: Shape) -> list[Shape]:
        bottom = bottom_shapes[0]
        count = math.prod(bottom)
        first, last = self._replaced(len(bottom))
        sizes = [self._copied(bottom, first + index) if size == 0 else size for index, size in enumerate(self.sizes)]
        shape = [*bottom[:first], *sizes, *bottom[last:]]
        known = math.prod([size for size in shape if size != -1])  # torch.compile takes no generator here
        if -1 in shape and known:
            shape[shape.index(-1)] = count // known
        if -1 in shape or math.prod(shape) != count:
            raise ShapeError(
                f"{self.spec}: expected a shape for {count} values (bottom {tuple(bottom)}), "
                f"got dims {list(self.sizes)} for axes {first} to {last - 1}"
            )
        return [tuple(shape)]

    def forward(self, bottom: Tensor) -> Tensor:
        return bottom.reshape(self.top_shapes(bottom.shape)[0])

    def _replaced(self, axes: int) -> tuple[int, int]:
        first = self.axis if self.axis >= 0 else axes + 1 + self.axis
        last = axes if self.num_axes == -1 else first + self.num_axes
        if not 0 <= first <= last <= axes:
            raise ShapeError(
                f"{self.spec}: expected axis and num_axes within {axes} axes, got {self.axis} and {self.num_axes}"
            )
        return first, last

    def _copied(self, bottom: Shape, axis: int) -> int:
        if axis >= len(bottom):
            raise ShapeError(f"{self.spec}: expected dims of 0 for axes of the bottom {tuple(bottom)} only")
        return bottom[axis]
