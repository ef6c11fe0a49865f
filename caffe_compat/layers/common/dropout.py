"""Caffe's Dropout."""

from torch import Tensor
from torch.nn.functional import dropout

from caffe_compat.errors import FieldError
from caffe_compat.layers.base import Layer, LayerSpec
from caffe_compat.layers.caffes import BVLC_AND_SRN
from caffe_compat.layers.registry import register_layer


@register_layer("Dropout")
class Dropout(Layer):
    """At TRAIN, zeroes elements with probability dropout_ratio and divides the others by 1 - dropout_ratio.

    With `scale_train: false` these keep their size, and TEST multiplies by 1 - dropout_ratio. From
    rbgirshick/caffe-fast-rcnn.
    """

    known_to = BVLC_AND_SRN
    keeps_shape = True

    def __init__(self, spec: LayerSpec) -> None:
        super().__init__(spec)
        params = spec.params("dropout_param")
        self.ratio: float = params.dropout_ratio
        self.scale_train: bool = params.scale_train
        if not 0 <= self.ratio < 1:
            raise FieldError(f"{spec}: expected dropout_ratio from 0 to below 1, got {self.ratio:g}")

    def forward(self, bottom: Tensor) -> Tensor:
        top = dropout(bottom, self.ratio, training=self.phase == "TRAIN")
        return top if self.scale_train else top * (1 - self.ratio)
