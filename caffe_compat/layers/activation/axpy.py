"""Axpy: adds a map that is scaled channel by channel (axpy_layer.cpp).

From hujie-frank/SENet.
"""

from torch import Tensor

from caffe_compat.errors import ShapeError
from caffe_compat.layers.base import Layer, LayerSpec, exactly
from caffe_compat.layers.caffes import Meaning
from caffe_compat.layers.registry import register_layer


@register_layer("Axpy")
class Axpy(Layer):
    """a x + y for a scale a (N, C) or (N, C, 1, 1) and maps x, y (N, C, ...)."""

    known_to = ("SENet",)
    meanings = (
        Meaning(
            "SENet",
            "a x + y, with a per channel",
            "three bottoms",
        ),
    )
    bottoms = exactly(3)

    def forward(self, scale: Tensor, x: Tensor, y: Tensor) -> Tensor:
        _require_fitting(self.spec, scale, x, y)
        return scale.reshape(*x.shape[:2], *[1] * (x.dim() - 2)) * x + y


def _require_fitting(spec: LayerSpec, scale: Tensor, x: Tensor, y: Tensor) -> None:
    if x.shape != y.shape:
        raise ShapeError(f"{spec}: expected x and y of one shape, got {tuple(x.shape)} and {tuple(y.shape)}")
    if scale.shape[:2] != x.shape[:2] or scale.shape[2:].numel() != 1:
        raise ShapeError(f"{spec}: expected a scale of shape {tuple(x.shape[:2])}, got {tuple(scale.shape)}")
