"""Removes the Split layers that Caffe inserted into a net before saving it (insert_splits.cpp)."""

import re
from collections.abc import Iterable

from caffe_compat.convert.model import Layer


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
