"""Which layers of a trained net still work when there are no labels."""

from collections import Counter
from collections.abc import Iterable, Sequence

from caffe_compat.convert.model import Layer
from caffe_compat.graph.wiring import Wiring
from caffe_compat.layers.base import LayerSpec
from caffe_compat.layers.registry import facts_of, layer_class, layer_types
from caffe_compat.proto.foreign.types import FOREIGN_TYPES

#: Layers without bottoms that are part of the net.
SOURCES_OF_THE_NET = {"Input", "Parameter"}


def data_layers(layers: Iterable[Layer]) -> set[str]:
    """The names of the layers that bring images and labels from outside.

    Layers of types that are not here and that read only data (DetectNetTransformation) count as data, too: such layers
    move or annotate images.
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
    """Whether the layer compares with a label.

    Losses that only other Caffes have are known by FOREIGN_TYPES, or by the end of their name.
    """
    if layer.type in layer_types():
        return layer_class(LayerSpec(layer)).is_loss
    foreign = FOREIGN_TYPES.get(layer.type)
    return foreign.only_trains if foreign is not None else layer.type.endswith("Loss")


def is_training_only(layer: Layer) -> bool:
    """Whether the layer is a loss, a measure, or gives no top (Silence, HDF5Output): a deploy net does without it."""
    facts = facts_of(layer.type)
    return is_loss(layer) or facts.measures or facts.tops.most == 0


def live_layers(layers: Sequence[Layer], learned: set[str], outputs: Iterable[str] = ()) -> list[Layer]:
    """The layers that lead to a result: a top that nothing but a loss or a measure reads, and that is no label.

    `learned` are the layers with weights. A loss reads predictions and labels; the predictions depend on weights.
    Silenced tops are results only where the net has no others, as in nets that end in a Silence; beside other results
    the tops stay silenced. `outputs` are blobs that are results as well. UnknownLayerError where a type is not here.
    """
    data = data_layers(layers)
    ends = [layer for layer in layers if is_training_only(layer)]
    working = [layer for layer in layers if not is_training_only(layer) and layer.name not in data]
    wiring = Wiring.of_layers(working)
    results = {*_results(working, wiring, ends, learned), *outputs}
    kept = [working[index] for index in wiring.leading_to(results)]
    for layer in reversed(kept):
        layer_class(LayerSpec(layer))  # refuses a type that is not here
    return kept + _silences(ends, {*Wiring.of_layers(kept).unread()} - results)


def _silences(ends: Iterable[Layer], loose: set[str]) -> list[Layer]:
    """Silence layers, restricted to `loose` blobs."""
    read = {layer.name: [blob for blob in layer.bottom if blob in loose] for layer in ends if layer.type == "Silence"}
    return [Layer(name=name, type="Silence", bottom=blobs) for name, blobs in read.items() if blobs]


def _results(working: Sequence[Layer], wiring: Wiring, ends: Sequence[Layer], learned: set[str]) -> list[str]:
    """The blobs that the net predicts."""
    weighty = [index for index, layer in enumerate(working) if layer.name in learned]
    predicted = {top for index in wiring.behind(weighty) for top in working[index].top}
    readers = Counter(bottom for layer in ends for bottom in set(layer.bottom))
    silenced = Counter(bottom for layer in ends if layer.type == "Silence" for bottom in set(layer.bottom))
    unread = wiring.unread()
    results = [blob for blob in unread if not readers[blob] or (blob in predicted and silenced[blob] < readers[blob])]
    return results or [blob for blob in unread if blob in predicted and silenced[blob]]
