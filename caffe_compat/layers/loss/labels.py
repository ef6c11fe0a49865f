"""Labels that are class indices, as all losses that look up a class read them."""

from dataclasses import dataclass

import torch
from torch import Tensor

from caffe_compat.errors import DataError, ShapeError
from caffe_compat.layers.base import LayerSpec


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
    shape = scores.shape[:axis] + scores.shape[axis + 1 :]
    if labels.numel() != shape.numel():
        raise ShapeError(
            f"{spec}: expected {shape.numel()} labels (one a prediction; scores are {tuple(scores.shape)}, classes on "
            f"axis {axis}), got {labels.numel()}"
        )
    index = labels.reshape(shape).long()  # rounds towards zero, as Caffe's cast to int
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


def require_same_batch(spec: LayerSpec, prediction: Tensor, label: Tensor) -> None:
    """Every loss wants as many labels as predictions on axis 0 (loss_layer.cpp, Reshape)."""
    if prediction.shape[:1] != label.shape[:1]:
        raise ShapeError(
            f"{spec}: expected prediction and label with the same first dimension, "
            f"got {tuple(prediction.shape)} and {tuple(label.shape)}"
        )


def label_like(spec: LayerSpec, prediction: Tensor, label: Tensor) -> Tensor:
    """The label in the prediction's shape; batch and count must agree."""
    require_same_batch(spec, prediction, label)
    if prediction.numel() != label.numel():
        raise ShapeError(
            f"{spec}: expected prediction and label of the same count, "
            f"got {tuple(prediction.shape)} and {tuple(label.shape)}"
        )
    return label.reshape(prediction.shape)
