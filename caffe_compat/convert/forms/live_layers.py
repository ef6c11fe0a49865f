"""Finds the layers of a trained net that a prediction without labels needs."""

from collections import Counter
from collections.abc import Iterable, Sequence

from caffe_compat.convert.model import Layer
from caffe_compat.graph.wiring import Wiring
from caffe_compat.layers.base import LayerSpec
from caffe_compat.layers.registry import facts_of, layer_class, layer_types
from caffe_compat.proto.foreign.types import FOREIGN_TYPES

#: Layers without bottoms that are not data layers.
SOURCES_OF_THE_NET = {"Input", "Parameter"}


def data_layers(layers: Iterable[Layer]) -> set[str]:
    """Returns the names of the layers that read images and labels from outside.

    Layers of unknown types that read only data also count as data: such layers move or annotate images, for example
    DetectNetTransformation.
    """
    names: set[str] = set()
    brought: set[str] = set()
    for layer in layers:
        if layer.bottom:
            is_data = layer.type not in layer_types() and not is_loss(layer) and brought.issuperset(layer.bottom)
        else:
            is_data = layer.type not in SOURCES_OF_THE_NET
        if is_data:
            names.add(layer.name)
            brought.update(layer.top)
    return names


def is_loss(layer: Layer) -> bool:
    """Whether the layer is a loss, which compares with a label.

    Losses of other Caffes are recognised by FOREIGN_TYPES, or by a type that ends in "Loss".
    """
    if layer.type in layer_types():
        return layer_class(LayerSpec(layer)).is_loss
    foreign = FOREIGN_TYPES.get(layer.type)
    return foreign.only_trains if foreign is not None else layer.type.endswith("Loss")


def is_training_only(layer: Layer) -> bool:
    """Whether a deploy net can omit the layer: a loss, a measure, or a layer without tops (Silence, HDF5Output)."""
    facts = facts_of(layer.type)
    return is_loss(layer) or facts.measures or facts.tops.most == 0


def live_layers(layers: Sequence[Layer], learned: set[str], outputs: Iterable[str] = ()) -> list[Layer]:
    """Returns the layers that lead to a result, in order, and the Silences for their unread tops.

    A result is a top that only losses or measures read, and that is not a label. A loss reads predictions and labels;
    predictions depend on weights, of the layers named in `learned`. Tops of Silence are results only if the net has
    no other results. `outputs` names further results. UnknownLayerError for a type that does not exist here.
    """
    data = data_layers(layers)
    ends = [layer for layer in layers if is_training_only(layer)]
    working = [layer for layer in layers if not is_training_only(layer) and layer.name not in data]
    wiring = Wiring.of_layers(working)
    results = {*_results(working, wiring, ends, learned), *outputs}
    kept = [working[index] for index in wiring.leading_to(results)]
    for layer in reversed(kept):
        layer_class(LayerSpec(layer))  # raises UnknownLayerError for an unknown type
    return kept + _silences(ends, {*Wiring.of_layers(kept).unread()} - results)


def _silences(ends: Iterable[Layer], loose: set[str]) -> list[Layer]:
    """Silence layers, restricted to `loose` blobs."""
    read = {layer.name: [blob for blob in layer.bottom if blob in loose] for layer in ends if layer.type == "Silence"}
    return [Layer(name=name, type="Silence", bottom=blobs) for name, blobs in read.items() if blobs]


def _results(working: Sequence[Layer], wiring: Wiring, ends: Sequence[Layer], learned: set[str]) -> list[str]:
    """Returns the blobs that the net predicts; silenced predictions only if there are no others."""
    weighty = [index for index, layer in enumerate(working) if layer.name in learned]
    predicted = {top for index in wiring.behind(weighty) for top in working[index].top}
    readers = Counter(bottom for layer in ends for bottom in set(layer.bottom))
    silenced = Counter(bottom for layer in ends if layer.type == "Silence" for bottom in set(layer.bottom))
    unread = wiring.unread()
    results = [blob for blob in unread if not readers[blob] or (blob in predicted and silenced[blob] < readers[blob])]
    return results or [blob for blob in unread if blob in predicted and silenced[blob]]
