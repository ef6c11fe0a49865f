"""Concat (concat_layer.cpp), and the axis that Slice reads in the same way."""

from collections.abc import Sequence

import torch
from torch import Tensor

from caffe_compat.errors import FieldError, ShapeError
from caffe_compat.layers.base import Layer, LayerSpec, Shape, at_least
from caffe_compat.layers.caffes import BVLC_AND_SRN
from caffe_compat.layers.registry import register_layer
from caffe_compat.layers.spec import Params


def read_axis(spec: LayerSpec, params: Params, legacy: str) -> int:
    """Returns `axis`, or the legacy field's value if that is set; FieldError if both are set."""
    has_axis, has_legacy = params.has("axis"), params.has(legacy)
    if has_axis and has_legacy:
        raise FieldError(f"{spec}: expected either axis or {legacy}, found both")
    return int(getattr(params, legacy) if has_legacy else params.axis)


@register_layer("Concat")
class Concat(Layer):
    """Joins the bottoms along `axis`; their other sizes must be equal."""

    hands_on = "moved"
    known_to = BVLC_AND_SRN
    bottoms = at_least(1)

    def __init__(self, spec: LayerSpec) -> None:
        super().__init__(spec)
        self.axis = read_axis(spec, spec.params("concat_param"), "concat_dim")

    def top_shapes(self, *bottom_shapes: Shape) -> list[Shape]:
        axis = self._fitting_axis(bottom_shapes)
        joined = sum(shape[axis] for shape in bottom_shapes)
        return [(*bottom_shapes[0][:axis], joined, *bottom_shapes[0][axis + 1 :])]

    def forward(self, *bottoms: Tensor) -> Tensor:
        return torch.cat(bottoms, self._fitting_axis([bottom.shape for bottom in bottoms]))

    def _fitting_axis(self, shapes: Sequence[Shape]) -> int:
        axis = self.canonical_axis(self.axis, len(shapes[0]))
        wanted = _without(shapes[0], axis)
        for index, shape in enumerate(shapes):
            if _without(shape, axis) != wanted:
                raise ShapeError(
                    f"{self.spec}: expected bottoms that differ on axis {axis} only, got {tuple(shapes[0])} "
                    f"for bottom 0 and {tuple(shape)} for bottom {index}"
                )
        return axis


def _without(shape: Shape, axis: int) -> Shape:
    return (*shape[:axis], *shape[axis + 1 :])
