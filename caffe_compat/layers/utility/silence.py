"""Silence (silence_layer.cpp)."""

from torch import Tensor

from caffe_compat.layers.base import Layer, Shape, Tops, at_least, exactly
from caffe_compat.layers.caffes import BVLC_AND_SRN
from caffe_compat.layers.registry import register_layer


@register_layer("Silence")
class Silence(Layer):
    """Reads its bottoms, so that they are not outputs of the net; no tops."""

    known_to = BVLC_AND_SRN
    is_in_onnx = False
    bottoms = at_least(1)
    tops = exactly(0)

    def top_shapes(self, *_: Shape) -> list[Shape]:
        return []

    def forward(self, *_: Tensor) -> Tops:
        return ()
