"""Accuracy (accuracy_layer.cpp)."""

import torch
from torch import Tensor

from caffe_compat.errors import FieldError
from caffe_compat.layers.base import Layer, LayerSpec, Shape, Tops, between, exactly
from caffe_compat.layers.caffes import BVLC_AND_SRN, Meaning
from caffe_compat.layers.loss.terms import Labels, class_labels, require_label_count
from caffe_compat.layers.registry import register_layer


@register_layer("Accuracy")
class Accuracy(Layer):
    """Top 0 (): the share of labels whose score is among the `top_k`; top 1 (C,): the same share per class.

    A tie counts against the label: its rank is the number of other scores that are at least as high.
    """

    known_to = BVLC_AND_SRN
    is_in_onnx = False
    meanings = (
        Meaning(
            "BVLC and most forks",
            "a class without labels counts 0 in top 1",
            "two tops",
        ),
        Meaning(
            "SegNet",
            "a class without labels counts 1 in top 1",
            "nothing in the text",
            "runs as BVLC's",
        ),
        Meaning(
            "happynear/caffe-windows",
            "the share of smaller scores by min_is_better",
            "min_is_better",
            "refused",
        ),
    )
    is_discrete = True
    measures = True
    bottoms = exactly(2)
    tops = between(1, 2)
    no_gradient_to = True

    def __init__(self, spec: LayerSpec) -> None:
        super().__init__(spec)
        params = spec.params("accuracy_param")
        self.top_k: int = params.top_k
        self.axis = params.axis
        self.ignore_label = params.ignore_label if params.has("ignore_label") else None

    def top_shapes(self, *bottom_shapes: Shape) -> list[Shape]:
        scores, labels = bottom_shapes
        axis = self.canonical_axis(self.axis, len(scores))
        classes = scores[axis]
        if self.top_k > classes:
            raise FieldError(f"{self.spec}: expected top_k of at most {classes} (the classes), got {self.top_k}")
        require_label_count(self.spec, scores, labels, axis)
        return [(), (classes,)][: max(1, self.spec.top_count)]

    def whole_numbers(self, *bottom_shapes: Shape) -> dict[int, int]:
        return {1: bottom_shapes[0][self.canonical_axis(self.axis, len(bottom_shapes[0]))]}

    def forward(self, scores: Tensor, labels: Tensor) -> Tops:
        self.top_shapes(scores.shape, labels.shape)
        axis = self.canonical_axis(self.axis, scores.dim())
        target = class_labels(self.spec, scores, labels, axis, self.ignore_label)
        hits = target.zero_ignored(self._hits(scores, target.index, axis))
        accuracy = hits.sum() / torch.as_tensor(target.count()).clamp(min=1)
        return (accuracy, per_class(hits, target, scores.shape[axis])) if self.spec.top_count > 1 else accuracy

    def _hits(self, scores: Tensor, index: Tensor, axis: int) -> Tensor:
        own = scores.gather(axis, index.unsqueeze(axis))
        rivals = (scores >= own).sum(axis) - 1
        return (rivals < self.top_k).to(scores.dtype)


def per_class(hits: Tensor, target: Labels, classes: int) -> Tensor:
    """Hits divided by labels for every class (C,); 0 for classes without labels."""
    index = target.index.flatten()
    labels = target.zero_ignored(torch.ones_like(hits))
    zeros = hits.new_zeros(classes)
    right = zeros.scatter_add(0, index, hits.flatten())
    return right / zeros.scatter_add(0, index, labels.flatten()).clamp(min=1)
