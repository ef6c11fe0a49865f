"""Axpy: scales one map channel by channel and adds another map (axpy_layer.cpp).

From hujie-frank/SENet.
"""

import math

from torch import Tensor

from caffe_compat.errors import ShapeError
from caffe_compat.layers.base import Layer, LayerSpec, Shape, exactly
from caffe_compat.layers.caffes import Meaning
from caffe_compat.layers.registry import register_layer


@register_layer("Axpy")
class Axpy(Layer):
    """Top a x + y, for a scale a (N, C) or (N, C, 1, 1) and maps x and y (N, C, ...)."""

    known_to = ("SENet",)
    meanings = (
        Meaning(
            "SENet",
            "a x + y, with a per channel",
            "three bottoms",
        ),
    )
    bottoms = exactly(3)

    def top_shapes(self, *bottom_shapes: Shape) -> list[Shape]:
        _require_fitting(self.spec, *bottom_shapes)
        return [bottom_shapes[1]]

    def forward(self, scale: Tensor, x: Tensor, y: Tensor) -> Tensor:
        _require_fitting(self.spec, scale.shape, x.shape, y.shape)
        return scale.reshape(*x.shape[:2], *[1] * (x.dim() - 2)) * x + y


def _require_fitting(spec: LayerSpec, scale: Shape, x: Shape, y: Shape) -> None:
    if x != y or len(x) < 2:
        raise ShapeError(f"{spec}: expected x and y of one shape (N, C, ...), got {tuple(x)} and {tuple(y)}")
    if scale[:2] != x[:2] or math.prod(scale[2:]) != 1:
        raise ShapeError(f"{spec}: expected a scale of shape {tuple(x[:2])}, got {tuple(scale)}")
