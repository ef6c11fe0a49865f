"""Restores the training prototxt of the net in a weights file: undoes what Caffe adds on saving (insert_splits.cpp)."""

import re
from collections.abc import Iterable

from caffe_compat.convert.model import Layer, Model, require_structure
from caffe_compat.convert.report import ConversionReport
from caffe_compat.layers.base import LayerSpec
from caffe_compat.layers.registry import layer_class, layer_types
from caffe_compat.proto.foreign.types import FOREIGN_TYPES


def train_form(model: Model, report: ConversionReport | None = None) -> Model:
    """Returns the model without additions that Caffe makes on saving: Splits, layers' `phase`, and loss weights 1.

    Rates, fillers, rules, losses and data layers stay as saved. Saving has lost the layers of other phases and, in the
    SRN fork, the shapes of inputs. FormatError for a file that holds weights only.
    """
    require_structure(model, "a prototxt")
    layers = undo_splits(model.net.layer)
    for layer in layers:
        layer.ClearField("phase")
        if list(layer.loss_weight) == [1.0, 0.0, 0.0][: len(layer.top)] and is_loss(layer):
            layer.ClearField("loss_weight")
    made = model.with_layers(layers, model.blobs)
    made.net.ClearField("state")
    if report is not None:
        for layer in filter(is_automatic, model.net.layer):
            report.dropped(layer.name, "Caffe adds its Splits itself")
    return made


def undo_splits(layers: Iterable[Layer]) -> list[Layer]:
    """Returns copies of the layers without Caffe's own Splits; their readers read the original blob.

    Splits that a user wrote have other names and stay.
    """
    whole: dict[str, str] = {}
    kept: list[Layer] = []
    for layer in layers:
        if is_automatic(layer):
            whole |= dict.fromkeys(layer.top, whole.get(layer.bottom[0], layer.bottom[0]))
            _return_loss_weight(kept, layer)
            continue
        copy = Layer()
        copy.CopyFrom(layer)
        copy.bottom[:] = [whole.get(bottom, bottom) for bottom in layer.bottom]
        kept.append(copy)
    return kept


def is_automatic(layer: Layer) -> bool:
    """Whether the layer is a Split with Caffe's names: `<blob>_<layer>_<top>_split`, tops `..._split_<number>`."""
    if layer.type != "Split" or len(layer.bottom) != 1:
        return False
    name = re.escape(layer.bottom[0]) + r"_.*_\d+_split"
    return bool(re.fullmatch(name, layer.name)) and list(layer.top) == [
        f"{layer.name}_{index}" for index in range(len(layer.top))
    ]


def _return_loss_weight(kept: list[Layer], split: Layer) -> None:
    """Moves the loss weight of a Split back to the layer that makes the blob."""
    if not split.loss_weight:
        return
    maker = next(layer for layer in reversed(kept) if split.bottom[0] in layer.top)
    maker.ClearField("loss_weight")
    maker.loss_weight.extend(split.loss_weight[0] if top == split.bottom[0] else 0.0 for top in maker.top)


def is_loss(layer: Layer) -> bool:
    """Whether the layer is a loss, which compares with a label.

    Losses of other Caffes are recognised by FOREIGN_TYPES, or by a type that ends in "Loss"; measures and writers of
    other Caffes count as losses.
    """
    if layer.type in layer_types():
        return layer_class(LayerSpec(layer)).is_loss
    foreign = FOREIGN_TYPES.get(layer.type)
    return foreign.only_trains if foreign is not None else layer.type.endswith("Loss")
