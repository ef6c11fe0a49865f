"""Filter (filter_layer.cpp)."""

import math
from collections.abc import Sequence

from torch import Tensor

from caffe_compat.errors import GraphError, ShapeError
from caffe_compat.layers.base import Layer, LayerSpec, Shape, Tops, at_least
from caffe_compat.layers.caffes import BVLC_AND_SRN
from caffe_compat.layers.registry import register_layer


@register_layer("Filter")
class Filter(Layer):
    """Keeps the items of the batch whose selector is not 0; one top per data bottom.

    The selector is the last bottom, (N,) or (N, 1 ...).
    """

    hands_on = "moved"
    known_to = BVLC_AND_SRN
    example = "bottom: 'a' bottom: 'b' top: 'c'"
    is_discrete = True
    bottoms = at_least(2)
    tops = at_least(1)

    def __init__(self, spec: LayerSpec) -> None:
        super().__init__(spec)
        data = len(spec.parameter.bottom) - 1
        self.no_gradient_to = frozenset({data})
        if spec.top_count != data:
            raise GraphError(f"{spec}: expected {data} tops (one a bottom but the selector), got {spec.top_count}")

    def top_shapes(self, *bottom_shapes: Shape) -> list[Shape]:
        """The shapes for a whole batch, as in Caffe before the first forward; real sizes depend on the selector."""
        self._require_items(bottom_shapes)
        return list(bottom_shapes[:-1])

    def whole_numbers(self, *bottom_shapes: Shape) -> dict[int, int]:
        return {len(bottom_shapes) - 1: 2}  # selector: 1 keeps an item, 0 drops it

    def forward(self, *bottoms: Tensor) -> Tops:
        *data, selector = bottoms
        self._require_items([bottom.shape for bottom in bottoms])
        kept = selector.flatten().nonzero().flatten()
        return tuple(bottom.index_select(0, kept) for bottom in data)

    def _require_items(self, shapes: Sequence[Shape]) -> None:
        *data, selector = shapes
        items = math.prod(selector)
        if selector[:1] != (items,):
            raise ShapeError(f"{self.spec}: expected a selector (N) or (N, 1 ...), got {tuple(selector)}")
        for index, shape in enumerate(data):
            if shape[:1] != (items,):
                found = shape[0] if shape else "a single number"
                raise ShapeError(f"{self.spec}: expected {items} items (the selector's) in bottom {index}, got {found}")
