"""Caffe's Crop."""

from torch import Tensor

from caffe_compat.errors import FieldError, ShapeError
from caffe_compat.layers.base import Layer, LayerSpec, Shape, exactly
from caffe_compat.layers.caffes import BVLC, Meaning
from caffe_compat.layers.registry import register_layer


@register_layer("Crop")
class Crop(Layer):
    """Crops bottom 0 to the sizes of bottom 1 from `axis` on, starting at `offset` (a single one, or one per axis)."""

    hands_on = "moved"
    known_to = (BVLC,)
    meanings = (
        Meaning(
            "BVLC",
            "offset from crop_param, 0 without one",
            "a crop_param in any Crop of the net",
        ),
        Meaning(
            "FCN (2015), HED, CRF-RNN",
            "the offset that puts pixel on pixel",
            "no Crop of the net has a crop_param",
            "runs so, with a warning, where that offset is not 0; crop_param { offset: 0 } settles it",
        ),
    )
    bottoms = exactly(2)
    no_gradient_to = frozenset({1})
    leaves_out_gradient_to = no_gradient_to
    allows_in_place = False

    def __init__(self, spec: LayerSpec) -> None:
        super().__init__(spec)
        params = spec.params("crop_param")
        self.axis: int = params.axis
        self.offsets: list[int] = params.offset

    def top_shapes(self, *bottom_shapes: Shape) -> list[Shape]:
        bottom, reference = bottom_shapes
        axis = self.canonical_axis(self.axis, len(bottom))
        for index, offset in enumerate(self._offsets(len(bottom) - axis), start=axis):
            size = reference[index] if index < len(reference) else 0
            if not 0 < size <= bottom[index] - offset:
                raise ShapeError(
                    f"{self.spec}: expected room for {size} from offset {offset} on axis {index}, got {bottom[index]}"
                )
        return [(*bottom[:axis], *reference[axis : len(bottom)])]

    def forward(self, bottom: Tensor, reference: Tensor) -> Tensor:
        (sizes,) = self.top_shapes(bottom.shape, reference.shape)
        axis = self.canonical_axis(self.axis, bottom.dim())
        for index, offset in enumerate(self._offsets(bottom.dim() - axis), start=axis):
            bottom = bottom.narrow(index, offset, sizes[index])
        return bottom

    def _offsets(self, axes: int) -> list[int]:
        if len(self.offsets) > 1 and len(self.offsets) != axes:
            raise FieldError(f"{self.spec}: expected 0, 1 or {axes} offsets (one an axis), got {len(self.offsets)}")
        return self.offsets if len(self.offsets) == axes else (self.offsets or [0]) * axes
