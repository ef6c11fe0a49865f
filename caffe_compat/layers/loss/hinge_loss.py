"""HingeLoss (hinge_loss_layer.cpp)."""

import torch
from torch import Tensor
from torch.nn import functional

from caffe_compat.layers.base import LayerSpec, LossLayer, Shape
from caffe_compat.layers.caffes import BVLC_AND_SRN
from caffe_compat.layers.loss.terms import class_labels, require_label_count, rows_shape
from caffe_compat.layers.registry import register_layer


@register_layer("HingeLoss")
class HingeLoss(LossLayer):
    """Top (): sum of max(0, 1 + x) over N, with -x in place of x for the label's class; `norm: L2` squares the terms.

    Bottoms: scores x, read as (N, C), and labels (N,). The gradient is 0 where 1 + x is 0.
    """

    known_to = BVLC_AND_SRN

    def __init__(self, spec: LayerSpec) -> None:
        super().__init__(spec)
        self.squared = spec.params("hinge_loss_param").norm == "L2"

    def whole_numbers(self, *bottom_shapes: Shape) -> dict[int, int]:
        return {1: rows_shape(self.spec, bottom_shapes[0])[1]}

    def top_shapes(self, *bottom_shapes: Shape) -> list[Shape]:
        scores, labels = bottom_shapes
        require_label_count(self.spec, rows_shape(self.spec, scores), labels, 1)
        return [()]

    def forward(self, scores: Tensor, labels: Tensor) -> Tensor:
        scores = scores.reshape(rows_shape(self.spec, scores.shape))
        index = class_labels(self.spec, scores, labels, 1).index.unsqueeze(1)
        sign = torch.ones_like(scores).scatter(1, index, -1.0)
        terms = functional.relu(1 + sign * scores)
        return (terms.square() if self.squared else terms).sum() / scores.shape[0]
