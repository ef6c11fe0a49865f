"""Tile (tile_layer.cpp)."""

from torch import Tensor

from caffe_compat.errors import FieldError
from caffe_compat.layers.base import Layer, LayerSpec, Shape
from caffe_compat.layers.caffes import BVLC_AND_SRN
from caffe_compat.layers.registry import register_layer


@register_layer("Tile")
class Tile(Layer):
    """Repeats the bottom `tiles` times along `axis`."""

    hands_on = "moved"
    known_to = BVLC_AND_SRN
    example = "tile_param { tiles: 1 }"

    def __init__(self, spec: LayerSpec) -> None:
        super().__init__(spec)
        params = spec.params("tile_param")
        self.axis: int = params.axis
        self.tiles: int = params.tiles
        if self.tiles < 1:
            raise FieldError(f"{spec}: expected tiles of at least 1, got {self.tiles or 'none'}")

    def top_shapes(self, *bottom_shapes: Shape) -> list[Shape]:
        shape = bottom_shapes[0]
        axis = self.canonical_axis(self.axis, len(shape))
        return [(*shape[:axis], shape[axis] * self.tiles, *shape[axis + 1 :])]

    def forward(self, bottom: Tensor) -> Tensor:
        repeats = [1] * bottom.dim()
        repeats[self.canonical_axis(self.axis, bottom.dim())] = self.tiles
        return bottom.repeat(repeats)
