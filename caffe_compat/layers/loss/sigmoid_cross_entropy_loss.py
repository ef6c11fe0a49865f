"""SigmoidCrossEntropyLoss (sigmoid_cross_entropy_loss_layer.cpp)."""

from typing import Any

import torch
from torch import Tensor

from caffe_compat.layers.activation.sigmoid import caffe_sigmoid
from caffe_compat.layers.base import LayerSpec, LossLayer, Shape
from caffe_compat.layers.caffes import BVLC_AND_SRN
from caffe_compat.layers.loss.terms import label_like, normalization_mode, normalizer, require_same_count
from caffe_compat.layers.registry import register_layer


@register_layer("SigmoidCrossEntropyLoss")
class SigmoidCrossEntropyLoss(LossLayer):
    """Top (): sum of -t log sigmoid(x) - (1 - t) log(1 - sigmoid(x)), divided by the batch size.

    Bottoms: scores x (N, ...) and equally many targets t in [0, 1]. `loss_param` can select another divisor.
    """

    known_to = BVLC_AND_SRN

    def __init__(self, spec: LayerSpec) -> None:
        super().__init__(spec)
        loss = spec.params("loss_param")
        self.ignore_label = loss.ignore_label if loss.has("ignore_label") else None
        self.normalization = normalization_mode(loss, "BATCH_SIZE")

    def whole_numbers(self, *_bottom_shapes: Shape) -> dict[int, int]:
        return {1: 2}  # labels: 1 present, 0 absent

    def top_shapes(self, *bottom_shapes: Shape) -> list[Shape]:
        require_same_count(self.spec, *bottom_shapes)
        return [()]

    def forward(self, scores: Tensor, targets: Tensor) -> Tensor:
        targets = label_like(self.spec, scores, targets)
        terms = cross_entropy(scores, targets)
        valid: Tensor | int = terms.numel()
        if self.ignore_label is not None:
            counted = targets.long() != self.ignore_label
            terms, valid = terms.masked_fill(~counted, 0), counted.sum()
        return terms.sum() / normalizer(self.normalization, terms.numel(), valid, terms.shape[:1].numel())


def cross_entropy(scores: Tensor, targets: Tensor) -> Tensor:
    """-t log sigmoid(x) - (1 - t) log(1 - sigmoid(x)) for each score, without overflow; shape of `scores`.

    The gradient is sigmoid(x) - t with Caffe's own sigmoid, which is exactly 0 or 1 far from 0.
    """
    terms: Tensor = _CrossEntropy.apply(scores, targets)
    return terms


class _CrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, scores: Tensor, targets: Tensor) -> Tensor:
        context.save_for_backward(scores, targets)
        return scores.clamp(min=0) - scores * targets + torch.log1p(torch.exp(-scores.abs()))

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        scores, targets = context.saved_tensors
        return gradients[0] * (caffe_sigmoid(scores) - targets), None
