"""MultinomialLogisticLoss (multinomial_logistic_loss_layer.cpp)."""

from torch import Tensor

from caffe_compat.layers.base import LossLayer, Shape
from caffe_compat.layers.caffes import BVLC_AND_SRN
from caffe_compat.layers.loss.terms import clamp_below, class_labels, require_label_count, rows_shape
from caffe_compat.layers.registry import register_layer

LEAST_PROBABILITY = 1e-20  # kLOG_THRESHOLD in Caffe


@register_layer("MultinomialLogisticLoss")
class MultinomialLogisticLoss(LossLayer):
    """Top (): mean over the batch of -log p[label], for probabilities p, read as (N, C), and labels (N,)."""

    known_to = BVLC_AND_SRN

    def whole_numbers(self, *bottom_shapes: Shape) -> dict[int, int]:
        return {1: rows_shape(self.spec, bottom_shapes[0])[1]}

    def top_shapes(self, *bottom_shapes: Shape) -> list[Shape]:
        probabilities, labels = bottom_shapes
        require_label_count(self.spec, rows_shape(self.spec, probabilities), labels, 1)
        return [()]

    def forward(self, probabilities: Tensor, labels: Tensor) -> Tensor:
        probabilities = probabilities.reshape(rows_shape(self.spec, probabilities.shape))
        index = class_labels(self.spec, probabilities, labels, 1).index.unsqueeze(1)
        own = clamp_below(probabilities.gather(1, index), LEAST_PROBABILITY)
        return -own.log().sum() / probabilities.shape[0]
