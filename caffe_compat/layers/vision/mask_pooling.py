"""MaskPooling of MNC."""

from torch import Tensor

from caffe_compat.errors import ShapeError
from caffe_compat.layers.base import Layer, Shape, exactly
from caffe_compat.layers.caffes import Meaning
from caffe_compat.layers.registry import register_layer


@register_layer("MaskPooling")
class MaskPooling(Layer):
    """Every channel of bottom 0 (N, C, height, width) times the mask in bottom 1 (N, 1, height, width).

    From daijifeng001/caffe-mnc (mask_pooling_layer.cu).
    """

    known_to = ("MNC", "SSTD")
    meanings = (Meaning("MNC, SSTD", "all channels times a mask", "two bottoms"),)
    bottoms = exactly(2)
    keeps_shape = True
    allows_in_place = False

    def top_shapes(self, *bottom_shapes: Shape) -> list[Shape]:
        bottom, mask = bottom_shapes
        if len(bottom) != 4 or tuple(mask) != (bottom[0], 1, *bottom[2:]):
            raise ShapeError(
                f"{self.spec}: expected 4 axes (num, channels, height, width) and a mask of one channel and the same "
                f"other sizes, got {list(bottom)} and {list(mask)}"
            )
        return [bottom]

    def forward(self, bottom: Tensor, mask: Tensor) -> Tensor:
        self.top_shapes(bottom.shape, mask.shape)
        return bottom * mask
