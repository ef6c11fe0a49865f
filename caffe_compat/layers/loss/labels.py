"""Labels that are class indices, as all losses that look up a class read them."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from caffe_compat.errors import DataError, ShapeError
from caffe_compat.layers.base import LayerSpec, Shape


@dataclass(frozen=True)
class Labels:
    """One class a prediction: the scores' shape without the class axis. Ignored ones have index 0 and are not valid."""

    index: Tensor
    valid: Tensor | None

    def count(self) -> Tensor | int:
        """How many are not ignored."""
        return self.index.numel() if self.valid is None else self.valid.sum()

    def zero_ignored(self, values: Tensor) -> Tensor:
        """The values, with 0 where the label is ignored."""
        return values if self.valid is None else values.masked_fill(~self.valid, 0)


def class_labels(spec: LayerSpec, scores: Tensor, labels: Tensor, axis: int, ignore_label: int | None = None) -> Labels:
    """The labels of scores (.., classes, ..) with classes on `axis`; any label shape of the right count will do."""
    require_label_count(spec, scores.shape, labels.shape, axis)
    index = labels.reshape(
        scores.shape[:axis] + scores.shape[axis + 1 :]
    ).long()  # rounds towards zero, as Caffe's cast to int
    valid = None if ignore_label is None else index != ignore_label
    if valid is not None:
        index = index.masked_fill(~valid, 0)
    _require_range(spec, index, scores.shape[axis])
    return Labels(index, valid)


def _require_range(spec: LayerSpec, index: Tensor, classes: int) -> None:
    # On a GPU the look-up itself stops at a wrong index; a check here would wait for the device.
    if index.device.type != "cpu" or index.numel() == 0 or torch.compiler.is_compiling():
        return
    least, most = (int(value) for value in index.aminmax())
    if least < 0 or most >= classes:
        raise DataError(f"{spec}: expected labels from 0 to {classes - 1}, got {least if least < 0 else most}")


def require_label_count(spec: LayerSpec, scores: Shape, labels: Shape, axis: int) -> None:
    """ShapeError unless there is one label for each prediction of scores that have their classes on `axis`."""
    predictions = math.prod((*scores[:axis], *scores[axis + 1 :]))
    if math.prod(labels) != predictions:
        raise ShapeError(
            f"{spec}: expected {predictions} labels (one a prediction; scores are {tuple(scores)}, classes on "
            f"axis {axis}), got {math.prod(labels)}"
        )


def require_same_batch(spec: LayerSpec, prediction: Shape, label: Shape) -> None:
    """Every loss wants as many labels as predictions on axis 0 (loss_layer.cpp, Reshape)."""
    if prediction[:1] != label[:1]:
        raise ShapeError(
            f"{spec}: expected prediction and label with the same first dimension, "
            f"got {tuple(prediction)} and {tuple(label)}"
        )


def require_same_count(spec: LayerSpec, prediction: Shape, label: Shape) -> None:
    """ShapeError unless prediction and label have the same batch and as many values."""
    require_same_batch(spec, prediction, label)
    if math.prod(prediction) != math.prod(label):
        raise ShapeError(
            f"{spec}: expected prediction and label of the same count, got {tuple(prediction)} and {tuple(label)}"
        )


def label_like(spec: LayerSpec, prediction: Tensor, label: Tensor) -> Tensor:
    """The label in the prediction's shape; batch and count must agree."""
    require_same_count(spec, prediction.shape, label.shape)
    return label.reshape(prediction.shape)


def rows_shape(spec: LayerSpec, scores: Shape) -> Shape:
    """The shape (N, C) as which HingeLoss and MultinomialLogisticLoss take scores; C is all that follows axis 0."""
    if not scores:
        raise ShapeError(f"{spec}: expected scores (N, C, ...), got a single number")
    return (scores[0], math.prod(scores[1:]))
