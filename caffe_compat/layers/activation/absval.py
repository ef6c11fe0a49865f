"""AbsVal (absval_layer.cpp)."""

from torch import Tensor

from caffe_compat.layers.base import Layer
from caffe_compat.layers.caffes import BVLC_AND_SRN
from caffe_compat.layers.registry import register_layer


@register_layer("AbsVal")
class AbsVal(Layer):
    """y = |x|, any shape; the gradient at 0 is 0. Not in place."""

    known_to = BVLC_AND_SRN
    allows_in_place = False
    keeps_shape = True

    def forward(self, bottom: Tensor) -> Tensor:
        return bottom.abs()
