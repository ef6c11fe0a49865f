"""InfogainLoss (infogain_loss_layer.cpp)."""

import math

import torch
from torch import Tensor

from caffe_compat.errors import FieldError, ShapeError
from caffe_compat.layers.base import LayerSpec, LossLayer, Shape, Tops, between
from caffe_compat.layers.caffes import BVLC_AND_SRN
from caffe_compat.layers.loss.terms import (
    clamp_below,
    class_labels,
    normalizer,
    require_label_count,
    require_same_batch,
)
from caffe_compat.layers.registry import register_layer
from caffe_compat.proto.read import read_blob

LOG_OF_LEAST_PROBABILITY = math.log(1e-20)  # kLOG_THRESHOLD in Caffe


@register_layer("InfogainLoss")
class InfogainLoss(LossLayer):
    """Mean over labels of -sum_k H[label, k] log softmax(x)_k; H (C, C) comes from `source` or bottom 2.

    Top 1 is the softmax of the scores; no gradient passes through it.
    """

    known_to = BVLC_AND_SRN
    example = "infogain_loss_param { source: 'FILES/matrix.binaryproto' }"
    bottoms = between(2, 3)
    tops = between(1, 2)
    no_gradient_to = frozenset({1, 2})

    def __init__(self, spec: LayerSpec) -> None:
        super().__init__(spec)
        params = spec.params("infogain_loss_param")
        loss = spec.params("loss_param")
        self.axis = params.axis
        self.source = params.source
        self.ignore_label = loss.ignore_label if loss.has("ignore_label") else None
        self.normalization: str = loss.normalization
        self.register_buffer("infogain", None, persistent=False)
        if len(spec.parameter.bottom) == 2 and not params.has("source"):
            raise FieldError(f"{spec}: expected the infogain matrix as source or as bottom 2, found neither")

    def whole_numbers(self, *bottom_shapes: Shape) -> dict[int, int]:
        return {1: bottom_shapes[0][self.canonical_axis(self.axis, len(bottom_shapes[0]))]}

    def setup(self, *bottom_shapes: Shape) -> None:
        if len(bottom_shapes) == 2:
            self.infogain = torch.from_numpy(read_blob(self.source).copy())

    def top_shapes(self, *bottom_shapes: Shape) -> list[Shape]:
        scores, labels, *given = bottom_shapes
        require_same_batch(self.spec, scores, labels)
        axis = self.canonical_axis(self.axis, len(scores))
        require_label_count(self.spec, scores, labels, axis)
        self._require_matrix(given[0] if given else tuple(self.infogain.shape), scores[axis])
        return [(), scores][: max(1, self.spec.top_count)]

    def forward(self, scores: Tensor, labels: Tensor, *given: Tensor) -> Tops:
        require_same_batch(self.spec, scores.shape, labels.shape)
        axis = self.canonical_axis(self.axis, scores.dim())
        target = class_labels(self.spec, scores, labels, axis, self.ignore_label)
        log_probability = scores.log_softmax(axis)
        gain = self._matrix(given, scores.shape[axis]).to(scores.dtype)[target.index].movedim(-1, axis)
        terms = -(gain * clamp_below(log_probability, LOG_OF_LEAST_PROBABILITY)).sum(axis)
        divisor = normalizer(self.normalization, target.index.numel(), target.count(), scores.shape[:axis].numel())
        loss = target.zero_ignored(terms).sum() / divisor
        return (loss, log_probability.detach().exp()) if self.spec.top_count > 1 else loss

    def _matrix(self, given: tuple[Tensor, ...], classes: int) -> Tensor:
        matrix: Tensor = given[0] if given else self.infogain
        self._require_matrix(matrix.shape, classes)
        return matrix.reshape(classes, classes)

    def _require_matrix(self, matrix: Shape, classes: int) -> None:
        if math.prod(matrix) != classes * classes:
            raise ShapeError(
                f"{self.spec}: expected an infogain matrix of {classes} x {classes} (the classes), got {tuple(matrix)}"
            )
