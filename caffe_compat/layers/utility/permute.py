"""Permute (permute_layer.cpp).

From weiliu89/caffe (SSD).
"""

from torch import Tensor

from caffe_compat.errors import FieldError
from caffe_compat.layers.base import Layer, LayerSpec, Shape
from caffe_compat.layers.caffes import Meaning
from caffe_compat.layers.registry import register_layer


@register_layer("Permute")
class Permute(Layer):
    """Reorders axes: top axis i is bottom axis order[i]; axes missing in `order` follow in ascending order."""

    hands_on = "moved"
    known_to = ("SSD",)
    meanings = (
        Meaning(
            "SSD and all forks that took it",
            "the axes in another order",
            "permute_param",
        ),
    )

    def __init__(self, spec: LayerSpec) -> None:
        super().__init__(spec)
        self.order: list[int] = spec.params("permute_param").order
        if len(set(self.order)) != len(self.order):
            raise FieldError(f"{spec}: expected every axis once in order, got {self.order}")

    def top_shapes(self, *bottom_shapes: Shape) -> list[Shape]:
        shape = bottom_shapes[0]
        return [tuple(shape[axis] for axis in self._axes(len(shape)))]

    def forward(self, bottom: Tensor) -> Tensor:
        return bottom.permute(self._axes(bottom.dim())).contiguous()

    def _axes(self, count: int) -> list[int]:
        """The bottom axis of each top axis, for a bottom of `count` axes."""
        if self.order and max(self.order) >= count:
            raise FieldError(f"{self.spec}: expected axes below {count} in order, got {self.order}")
        return [*self.order, *(axis for axis in range(count) if axis not in self.order)]
