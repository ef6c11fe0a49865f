"""Concat (concat_layer.cpp)."""

import torch
from torch import Tensor

from caffe_compat.errors import ShapeError
from caffe_compat.layers.base import Layer, LayerSpec, at_least
from caffe_compat.layers.registry import register_layer
from caffe_compat.layers.utility.legacy_axis import read_axis


@register_layer("Concat")
class Concat(Layer):
    """Joins bottoms along `axis`; all other sizes must agree."""

    bottoms = at_least(1)

    def __init__(self, spec: LayerSpec) -> None:
        super().__init__(spec)
        self.axis = read_axis(spec, spec.params("concat_param"), "concat_dim")

    def forward(self, *bottoms: Tensor) -> Tensor:
        axis = self.canonical_axis(self.axis, bottoms[0].dim())
        wanted = _without(bottoms[0], axis)
        for index, bottom in enumerate(bottoms):
            if _without(bottom, axis) != wanted:
                raise ShapeError(
                    f"{self.spec}: expected bottoms that differ on axis {axis} only, got {tuple(bottoms[0].shape)} "
                    f"for bottom 0 and {tuple(bottom.shape)} for bottom {index}"
                )
        return torch.cat(bottoms, axis)


def _without(bottom: Tensor, axis: int) -> tuple[int, ...]:
    return tuple(bottom.shape[:axis] + bottom.shape[axis + 1 :])
