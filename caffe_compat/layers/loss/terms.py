"""The terms of losses: the labels that select them, a lower bound of probabilities, and the divisor of their sum."""

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from caffe_compat.errors import DataError, ShapeError
from caffe_compat.layers.base import LayerSpec, Shape, is_eager_on_cpu
from caffe_compat.layers.spec import Params


@dataclass(frozen=True)
class Labels:
    """Class indices in the scores' shape without the class axis; ignored labels have index 0 and are not valid."""

    index: Tensor
    valid: Tensor | None

    def count(self) -> Tensor | int:
        """The number of labels that are not ignored."""
        return self.index.numel() if self.valid is None else self.valid.sum()

    def zero_ignored(self, values: Tensor) -> Tensor:
        """The values, with 0 in place of values of ignored labels."""
        return values if self.valid is None else values.masked_fill(~self.valid, 0)


def class_labels(spec: LayerSpec, scores: Tensor, labels: Tensor, axis: int, ignore_label: int | None = None) -> Labels:
    """Labels for scores (.., classes, ..) with classes on `axis`; any label shape with the right count is accepted."""
    require_label_count(spec, scores.shape, labels.shape, axis)
    index = labels.reshape(
        scores.shape[:axis] + scores.shape[axis + 1 :]
    ).long()  # truncates toward zero, like Caffe's cast to int
    valid = None if ignore_label is None else index != ignore_label
    if valid is not None:
        index = index.masked_fill(~valid, 0)
    _require_range(spec, index, scores.shape[axis])
    return Labels(index, valid)


def _require_range(spec: LayerSpec, index: Tensor, classes: int) -> None:
    # On a GPU, the lookup itself fails for a wrong index; a check here would make the host wait for the GPU.
    if index.numel() == 0 or not is_eager_on_cpu(index):
        return
    least, most = (int(value) for value in index.aminmax())
    if least < 0 or most >= classes:
        raise DataError(f"{spec}: expected labels from 0 to {classes - 1}, got {least if least < 0 else most}")


def require_label_count(spec: LayerSpec, scores: Shape, labels: Shape, axis: int) -> None:
    """Raises ShapeError unless there is one label per prediction; scores have their classes on `axis`."""
    predictions = math.prod((*scores[:axis], *scores[axis + 1 :]))
    if math.prod(labels) != predictions:
        raise ShapeError(
            f"{spec}: expected {predictions} labels (one a prediction; scores are {tuple(scores)}, classes on "
            f"axis {axis}), got {math.prod(labels)}"
        )


def require_same_batch(spec: LayerSpec, prediction: Shape, label: Shape) -> None:
    """Raises ShapeError unless prediction and label have equal sizes on axis 0 (loss_layer.cpp, Reshape)."""
    if prediction[:1] != label[:1]:
        raise ShapeError(
            f"{spec}: expected prediction and label with the same first dimension, "
            f"got {tuple(prediction)} and {tuple(label)}"
        )


def require_same_count(spec: LayerSpec, prediction: Shape, label: Shape) -> None:
    """Raises ShapeError unless prediction and label have equal batch sizes and equal numbers of values."""
    require_same_batch(spec, prediction, label)
    if math.prod(prediction) != math.prod(label):
        raise ShapeError(
            f"{spec}: expected prediction and label of the same count, got {tuple(prediction)} and {tuple(label)}"
        )


def label_like(spec: LayerSpec, prediction: Tensor, label: Tensor) -> Tensor:
    """The label reshaped to the prediction's shape; ShapeError where batch or count differ."""
    require_same_count(spec, prediction.shape, label.shape)
    return label.reshape(prediction.shape)


def rows_shape(spec: LayerSpec, scores: Shape) -> Shape:
    """The shape (N, C) of scores in losses that compare the classes of an item; C counts all values of the item."""
    if not scores:
        raise ShapeError(f"{spec}: expected scores (N, C, ...), got a single number")
    return (scores[0], math.prod(scores[1:]))


class _ClampBelow(torch.autograd.Function):
    @staticmethod
    def forward(_: Any, values: Tensor, least: float) -> Tensor:
        return values.clamp(min=least)

    @staticmethod
    def backward(_: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return gradients[0], None


def clamp_below(values: Tensor, least: float) -> Tensor:
    """max(values, least), with gradient 1 everywhere: Caffe bounds probabilities in forward but not in backward."""
    clamped: Tensor = _ClampBelow.apply(values, least)
    return clamped


def normalization_mode(params: Params, default: str) -> str:
    """FULL, VALID, BATCH_SIZE or NONE; the older field `normalize` decides if `normalization` is not set."""
    has_mode, has_legacy = params.has("normalization"), params.has("normalize")
    if has_mode:
        return str(params.normalization)
    if has_legacy:
        return "VALID" if params.normalize else "BATCH_SIZE"
    return default


def normalizer(mode: str, full: int, valid: Tensor | int, batch: int) -> Tensor | int:
    """The divisor of `mode`: all labels, the labels not ignored, the batch size, or 1.

    The divisor is at least 1, so that a batch without labels gives loss 0.
    """
    divisor = {"FULL": full, "VALID": valid, "BATCH_SIZE": batch, "NONE": 1}[mode]
    return max(1, divisor) if isinstance(divisor, int) else torch.clamp(divisor, min=1)
