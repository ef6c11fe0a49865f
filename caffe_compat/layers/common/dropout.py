"""Caffe's Dropout."""

from torch import Tensor
from torch.nn.functional import dropout

from caffe_compat.errors import FieldError
from caffe_compat.layers.base import Layer, LayerSpec
from caffe_compat.layers.caffes import BVLC_AND_SRN, Meaning
from caffe_compat.layers.registry import register_layer


@register_layer("Dropout")
class Dropout(Layer):
    """TRAIN zeroes elements with probability dropout_ratio and divides the others by 1 - dropout_ratio.

    `scale_train: false` leaves the others as they are, and TEST multiplies by 1 - dropout_ratio; from
    rbgirshick/caffe-fast-rcnn. `sample_weights_test: true` makes TEST act like TRAIN; from alexgkendall/caffe-segnet.
    """

    known_to = BVLC_AND_SRN
    meanings = (
        Meaning(
            "BVLC",
            "scales at TRAIN, passes on at TEST",
            "no scale_train, no sample_weights_test",
        ),
        Meaning(
            "Faster R-CNN",
            "scales at TEST",
            "scale_train: false",
        ),
        Meaning(
            "Bayesian SegNet",
            "drops at TEST, too",
            "sample_weights_test: true",
        ),
    )
    keeps_shape = True

    def __init__(self, spec: LayerSpec) -> None:
        super().__init__(spec)
        params = spec.params("dropout_param")
        self.ratio: float = params.dropout_ratio
        self.scale_train: bool = params.scale_train
        self.drops_at_test: bool = params.sample_weights_test
        if not 0 <= self.ratio < 1:
            raise FieldError(f"{spec}: expected dropout_ratio from 0 to below 1, got {self.ratio:g}")

    def forward(self, bottom: Tensor) -> Tensor:
        top = dropout(bottom, self.ratio, training=self.phase == "TRAIN" or self.drops_at_test)
        return top if self.scale_train else top * (1 - self.ratio)
