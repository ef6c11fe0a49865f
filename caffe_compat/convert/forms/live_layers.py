"""Which layers of a trained net still work when there are no labels."""

from collections import Counter
from collections.abc import Iterable, Sequence

import caffe_compat.layers  # noqa: F401 - registers every type
from caffe_compat.convert.model import Layer
from caffe_compat.layers.base import LayerSpec
from caffe_compat.layers.registry import layer_class

#: Layers that measure, swallow or store: besides losses, what a deploy net has no use for.
SINKS = {"Accuracy", "Silence", "HDF5Output"}
#: Layers without bottoms that are part of the net.
SOURCES_OF_THE_NET = {"Input", "Parameter"}


def is_data(layer: Layer) -> bool:
    """Whether it brings images and labels from outside."""
    return not layer.bottom and layer.type not in SOURCES_OF_THE_NET


def is_loss(layer: Layer) -> bool:
    """Whether it compares with a label."""
    return layer_class(LayerSpec(layer)).is_loss


def is_training_only(layer: Layer) -> bool:
    """Whether it has no place in a deploy net."""
    return layer.type in SINKS or is_loss(layer)


def live_layers(layers: Sequence[Layer], learned: set[str]) -> list[Layer]:
    """The layers that lead to a result: a top that nothing but a loss or a measure reads, and that is no label.

    `learned` are the layers with weights. A loss reads predictions and labels; the predictions depend on weights.
    Silenced tops are no results, and stay silent where they come with one.
    """
    working: list[Layer] = []
    ends: list[Layer] = []
    for layer in layers:
        if is_training_only(layer):
            ends.append(layer)
        elif not is_data(layer):
            working.append(layer)
    results = _results(working, ends, learned)
    kept: list[Layer] = []
    needed = set(results)
    for layer in reversed(working):
        if needed.intersection(layer.top):
            kept.append(layer)
            needed.update(layer.bottom)
    return kept[::-1] + _silences(ends, _tops(kept) - _read_by(kept[::-1]) - set(results))


def _silences(ends: Iterable[Layer], loose: set[str]) -> list[Layer]:
    """The Silences as far as they read these blobs."""
    read = {layer.name: [blob for blob in layer.bottom if blob in loose] for layer in ends if layer.type == "Silence"}
    return [Layer(name=name, type="Silence", bottom=blobs) for name, blobs in read.items() if blobs]


def _results(working: Sequence[Layer], ends: Sequence[Layer], learned: set[str]) -> list[str]:
    predicted = _blobs_after(working, learned)
    readers = Counter(bottom for layer in ends for bottom in set(layer.bottom))
    silenced = Counter(bottom for layer in ends if layer.type == "Silence" for bottom in set(layer.bottom))
    return [
        blob
        for blob in _tops(working) - _read_by(working)
        if not readers[blob] or (blob in predicted and silenced[blob] < readers[blob])
    ]


def _tops(layers: Iterable[Layer]) -> set[str]:
    return {top for layer in layers for top in layer.top}


def _read_by(layers: Sequence[Layer]) -> set[str]:
    """Blobs whose last writer has a reader behind it."""
    read: set[str] = set()
    for layer in layers:
        read.update(layer.bottom)
        read.difference_update(layer.top)
    return read


def _blobs_after(layers: Sequence[Layer], names: set[str]) -> set[str]:
    """Blobs that depend on one of the named layers."""
    after: set[str] = set()
    for layer in layers:
        if layer.name in names or after.intersection(layer.bottom):
            after.update(layer.top)
    return after
