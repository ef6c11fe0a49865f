"""Turns the net of a weights file into a deploy net: inputs replace data layers; losses and rates are removed.

`live_layers` finds the layers that a prediction without labels needs.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import compress

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from caffe_compat.convert.forms.input_shapes import find_input_shapes
from caffe_compat.convert.forms.train_form import is_loss, train_form
from caffe_compat.convert.model import Layer, Model, Shape
from caffe_compat.convert.report import ConversionReport
from caffe_compat.convert.stored_preprocessing import image_inputs, stated, store
from caffe_compat.errors import GraphError
from caffe_compat.graph.builder import filter_net
from caffe_compat.graph.wiring import Wiring
from caffe_compat.layers.base import LayerSpec
from caffe_compat.layers.registry import facts_of, layer_class, layer_types
from caffe_compat.proto import caffe_pb2

#: Fields of LayerParameter about learning and about the phases of a layer.
TRAINING_FIELDS = ("include", "exclude", "propagate_down", "loss_weight")


def deploy_form(
    model: Model,
    input_shapes: Mapping[str, Shape] | None = None,
    report: ConversionReport | None = None,
    outputs: Sequence[str] = (),
) -> Model:
    """Returns the net for prediction: its inputs, then the layers that lead to its results, or to `outputs` alone.

    Input shapes missing in the file come from `input_shapes`, or are found from the weights (input_shapes.py).
    GraphError if the net has no inputs or no layers that predict.
    """
    report = report or ConversionReport(model)
    trained = train_form(_at_test(model), report)
    kept = live_layers(trained.net.layer, set(model.blobs), outputs)
    if not any(layer.type != "Input" for layer in kept):
        raise GraphError(
            f"{model.path}: expected layers that predict, found only data, losses and measures; "
            "give the net to deploy with --prototxt"
        )
    _report_dropped(trained, kept, report)
    was_training = _was_training(model)
    body = [_tidy(layer, was_training) for layer in kept if layer.type != "Input"]
    inputs = _inputs(trained, body)
    if not inputs:
        raise GraphError(f"{model.path}: expected a net with inputs, found none; give the deploy net with --prototxt")
    blobs = {layer.name: model.blobs[layer.name] for layer in body if layer.name in model.blobs}
    deployed = replace(trained.with_layers(body, blobs), was_training=was_training)
    for field in ("input", "input_shape", "input_dim", "force_backward", "debug_info"):
        deployed.net.ClearField(field)
    shapes = find_input_shapes(deployed, trained, inputs, input_shapes or {}, report)
    made = deployed.with_layers([*_input_layers(inputs, shapes, kept), *body], blobs)
    _keep_preprocessing(trained, made, shapes, report)
    return made


def _keep_preprocessing(trained: Model, deployed: Model, shapes: Mapping[str, Shape], report: ConversionReport) -> None:
    """Writes into the new inputs what the net says of images."""
    for name in image_inputs(shapes):
        found = stated(trained.net, name, trained.path, shapes[name][1], report.notes)
        if found is not None:
            store(deployed.net, name, found)
            report.notes.append(f"images of '{name}': {found}")


def _at_test(model: Model) -> Model:
    """Returns the model with a prototxt's layers of phase TEST; a saved net has one phase and stays unchanged."""
    if model.is_filtered:
        return model
    return model.with_layers(filter_net(model.net, caffe_pb2.NetState(phase="TEST")).layer, model.blobs)


def _was_training(model: Model) -> bool:
    return model.is_filtered and any(
        layer.HasField("phase") and layer.phase == caffe_pb2.TRAIN for layer in model.net.layer
    )


def _inputs(trained: Model, body: Sequence[Layer]) -> list[str]:
    """Returns the blobs from outside that layers of `body` read, in the order of the net."""
    read = {bottom for layer in body for bottom in layer.bottom}
    data = data_layers(trained.net.layer)
    tops = [top for layer in trained.net.layer if layer.type == "Input" or layer.name in data for top in layer.top]
    return [name for name in dict.fromkeys([*trained.net.input, *tops]) if name in read]


def _input_layers(inputs: Sequence[str], shapes: Mapping[str, Shape], kept: Sequence[Layer]) -> list[Layer]:
    """Returns one Input layer per blob, named as the blob, or `<blob>_input` if a layer has this name."""
    taken = {layer.name for layer in kept if layer.type != "Input"}
    layers = []
    for name in inputs:
        layer = Layer(name=name if name not in taken else f"{name}_input", type="Input", top=[name])
        layer.input_param.shape.add(dim=shapes[name])
        layers.append(layer)
    return layers


def _report_dropped(trained: Model, kept: Sequence[Layer], report: ConversionReport) -> None:
    names = {layer.name for layer in kept}
    data = data_layers(trained.net.layer)
    for layer in trained.net.layer:
        if layer.name in data:
            report.dropped(layer.name, "the net is fed through inputs")
        elif layer.name not in names:
            report.dropped(layer.name, "nothing that it gives is predicted")
        elif layer.type == "Input":
            report.replaced([layer.name], layer.top, "one Input layer a blob")


def _tidy(layer: Layer, was_training: bool) -> Layer:
    """Returns a copy without rates, rules and fillers.

    Removes `use_global_stats: false` of nets saved in training, so that BatchNorm uses its statistics at TEST.
    """
    tidy = Layer()
    tidy.CopyFrom(layer)
    for field in (*TRAINING_FIELDS, "transform_param"):  # the inputs have what it says of images
        tidy.ClearField(field)
    _clear_rates(tidy)
    _clear_fillers(tidy)
    statistics = tidy.batch_norm_param
    if was_training and statistics.HasField("use_global_stats") and not statistics.use_global_stats:
        statistics.ClearField("use_global_stats")
        _drop_if_empty(tidy, "batch_norm_param")
    return tidy


def _clear_rates(layer: Layer) -> None:
    """Removes the multipliers of each `param`; names stay, because layers share weights by name."""
    for param in layer.param:
        param.ClearField("lr_mult")
        param.ClearField("decay_mult")
    if not any(param.name for param in layer.param):
        layer.ClearField("param")


def _clear_fillers(layer: Layer) -> None:
    for descriptor, value in layer.ListFields():
        if descriptor.name.endswith("_param") and descriptor.name != "dummy_data_param":
            _clear_fillers_in(value)
            if descriptor.name != "norm_param":  # its presence marks SSD's Normalize
                _drop_if_empty(layer, descriptor.name)


def _clear_fillers_in(message: Message) -> None:
    for descriptor, _ in message.ListFields():
        if descriptor.cpp_type == FieldDescriptor.CPPTYPE_MESSAGE and descriptor.name.endswith("filler"):
            message.ClearField(descriptor.name)


def _drop_if_empty(layer: Layer, field: str) -> None:
    if not getattr(layer, field).ListFields():
        layer.ClearField(field)


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
            # Parameter and ContinuationIndicator make the same top for any batch.
            is_data = layer.type != "Input" and facts_of(layer.type).tops_have_batch
        if is_data:
            names.add(layer.name)
            brought.update(layer.top)
    return names


def is_training_only(layer: Layer) -> bool:
    """Whether a deploy net can omit the layer: a loss, a measure, or a layer without tops (Silence, HDF5Output)."""
    facts = facts_of(layer.type)
    return is_loss(layer) or facts.measures or facts.tops.most == 0


def live_layers(layers: Sequence[Layer], learned: set[str], outputs: Iterable[str] = ()) -> list[Layer]:
    """Returns the layers that lead to a result, in order, and the Silences for their unread tops.

    A result is a top that only losses or measures read, and that is not a label. A loss reads predictions and labels;
    predictions depend on weights, of the layers named in `learned`. A net without such results predicts all that its
    Silences read, except labels. `outputs` names the results in their place; names of no blob are left aside.
    UnknownLayerError for a type that does not exist here.
    """
    data = data_layers(layers)
    labels = _labels(layers, data)
    weighing = _weighing(layers, labels)
    is_end = [is_training_only(layer) or layer.name in weighing for layer in layers]
    ends = list(compress(layers, is_end))
    working = [layer for layer, end in zip(layers, is_end, strict=True) if not end and layer.name not in data]
    wiring = Wiring.of_layers(working)
    predicted = _behind_weights(working, wiring, learned)
    made = {top for layer in layers for top in layer.top}
    results = made.intersection(outputs) or {*_results(wiring, ends, predicted)}
    if not results:
        results = {*_silenced(working, ends, predicted, labels)}
    kept = [working[index] for index in wiring.leading_to(results)]
    for layer in reversed(kept):
        layer_class(LayerSpec(layer))  # raises UnknownLayerError for an unknown type
    return kept + _silences(ends, {*Wiring.of_layers(kept).unread()} - results)


def _labels(layers: Sequence[Layer], data: set[str]) -> set[str]:
    """Returns the blobs that come from labels alone; a data layer's first top is the image, its others are labels."""
    labels = {top for layer in layers if layer.name in data for top in layer.top[1:]}
    for layer in layers:
        if layer.bottom and labels.issuperset(layer.bottom):
            labels.update(layer.top)
    return labels


def _weighing(layers: Sequence[Layer], labels: set[str]) -> set[str]:
    """Returns the names of Eltwise layers that weigh predictions by what comes from labels, and that only losses read.

    OpenPose's training nets weigh places so.
    """
    of_losses = {bottom for layer in layers if is_loss(layer) for bottom in layer.bottom}
    of_losses -= {bottom for layer in layers if not is_loss(layer) for bottom in layer.bottom}
    return {
        layer.name
        for layer in layers
        if layer.type == "Eltwise" and labels.intersection(layer.bottom) and of_losses.issuperset(layer.top)
    }


def _silences(ends: Iterable[Layer], loose: set[str]) -> list[Layer]:
    """Silence layers, restricted to `loose` blobs."""
    read = {layer.name: [blob for blob in layer.bottom if blob in loose] for layer in ends if layer.type == "Silence"}
    return [Layer(name=name, type="Silence", bottom=blobs) for name, blobs in read.items() if blobs]


def _behind_weights(working: Sequence[Layer], wiring: Wiring, learned: set[str]) -> set[str]:
    weighty = [index for index, layer in enumerate(working) if layer.name in learned]
    return {top for index in wiring.behind(weighty) for top in working[index].top}


def _results(wiring: Wiring, ends: Sequence[Layer], predicted: set[str]) -> list[str]:
    """Returns the blobs that the net predicts, without those that Silences read."""
    readers = Counter(bottom for layer in ends for bottom in set(layer.bottom))
    silenced = Counter(bottom for layer in ends if layer.type == "Silence" for bottom in set(layer.bottom))
    return [
        blob for blob in wiring.unread() if not readers[blob] or (blob in predicted and silenced[blob] < readers[blob])
    ]


def _silenced(working: Sequence[Layer], ends: Sequence[Layer], predicted: set[str], labels: set[str]) -> list[str]:
    """Returns all computed blobs that a Silence reads, also those that other layers read; labels are left out.

    In a net with losses or measures these are only blobs with weights behind them.
    """
    silenced = {bottom for layer in ends if layer.type == "Silence" for bottom in layer.bottom}
    made = dict.fromkeys(top for layer in working if layer.type != "Input" for top in layer.top)
    trains = any(layer.top for layer in ends)
    return [blob for blob in made if blob in silenced and blob not in labels and (blob in predicted or not trains)]
