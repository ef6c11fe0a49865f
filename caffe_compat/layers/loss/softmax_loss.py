"""SoftmaxWithLoss (softmax_loss_layer.cpp)."""

import math

import torch
from torch import Tensor

from caffe_compat.layers.base import LayerSpec, LossLayer, Shape, Tops, between
from caffe_compat.layers.caffes import BVLC_AND_SRN
from caffe_compat.layers.loss.terms import (
    clamp_below,
    class_labels,
    normalization_mode,
    normalizer,
    require_label_count,
    require_same_batch,
)
from caffe_compat.layers.registry import register_layer

LOG_OF_LEAST_PROBABILITY = math.log(torch.finfo(torch.float32).tiny)  # FLT_MIN


@register_layer("SoftmaxWithLoss")
class SoftmaxWithLoss(LossLayer):
    """Top (): mean of -log softmax(x)[label] over the labels that are not ignored.

    Scores x have their classes on `axis`, with one label per prediction. Top 1 is the softmax; no gradient passes
    through it.
    """

    known_to = BVLC_AND_SRN
    tops = between(1, 2)

    def __init__(self, spec: LayerSpec) -> None:
        super().__init__(spec)
        softmax = spec.params("softmax_param")
        softmax.ignore("engine")  # selects a kernel; results are the same
        self.axis = softmax.axis
        loss = spec.params("loss_param")
        self.ignore_label = loss.ignore_label if loss.has("ignore_label") else None
        self.normalization = normalization_mode(loss, "VALID")

    def top_shapes(self, *bottom_shapes: Shape) -> list[Shape]:
        scores, labels = bottom_shapes
        require_same_batch(self.spec, scores, labels)
        require_label_count(self.spec, scores, labels, self.canonical_axis(self.axis, len(scores)))
        return [(), scores][: max(1, self.spec.top_count)]

    def whole_numbers(self, *bottom_shapes: Shape) -> dict[int, int]:
        return {1: bottom_shapes[0][self.canonical_axis(self.axis, len(bottom_shapes[0]))]}

    def forward(self, scores: Tensor, labels: Tensor) -> Tops:
        require_same_batch(self.spec, scores.shape, labels.shape)
        axis = self.canonical_axis(self.axis, scores.dim())
        target = class_labels(self.spec, scores, labels, axis, self.ignore_label)
        log_probability = scores.log_softmax(axis)
        own = log_probability.gather(axis, target.index.unsqueeze(axis)).squeeze(axis)
        terms = target.zero_ignored(-clamp_below(own, LOG_OF_LEAST_PROBABILITY))
        batch = scores.shape[:axis].numel()
        loss = terms.sum() / normalizer(self.normalization, terms.numel(), target.count(), batch)
        return (loss, log_probability.detach().exp()) if self.spec.top_count > 1 else loss
