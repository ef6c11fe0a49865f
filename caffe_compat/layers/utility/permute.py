"""Permute (permute_layer.cpp).

From weiliu89/caffe (SSD).
"""

from torch import Tensor

from caffe_compat.errors import FieldError
from caffe_compat.layers.base import Layer, LayerSpec
from caffe_compat.layers.caffes import Meaning
from caffe_compat.layers.registry import register_layer


@register_layer("Permute")
class Permute(Layer):
    """Reorders axes: top axis i is bottom axis order[i]; axes that `order` leaves out follow in their own order."""

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

    def forward(self, bottom: Tensor) -> Tensor:
        if self.order and max(self.order) >= bottom.dim():
            raise FieldError(f"{self.spec}: expected axes below {bottom.dim()} in order, got {self.order}")
        rest = [axis for axis in range(bottom.dim()) if axis not in self.order]
        return bottom.permute(*self.order, *rest).contiguous()
