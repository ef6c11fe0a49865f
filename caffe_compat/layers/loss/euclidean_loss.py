"""EuclideanLoss (euclidean_loss_layer.cpp)."""

from torch import Tensor

from caffe_compat.layers.base import LossLayer, Shape
from caffe_compat.layers.caffes import BVLC_AND_SRN
from caffe_compat.layers.loss.terms import label_like, require_same_count
from caffe_compat.layers.registry import register_layer


@register_layer("EuclideanLoss")
class EuclideanLoss(LossLayer):
    """Top (): sum of (a - b)^2 divided by 2N, with N the batch size; gradients reach both bottoms."""

    known_to = BVLC_AND_SRN
    no_gradient_to = frozenset()

    def top_shapes(self, *bottom_shapes: Shape) -> list[Shape]:
        require_same_count(self.spec, *bottom_shapes)
        return [()]

    def forward(self, prediction: Tensor, label: Tensor) -> Tensor:
        difference = prediction - label_like(self.spec, prediction, label)
        return difference.square().sum() / prediction.shape[:1].numel() / 2
