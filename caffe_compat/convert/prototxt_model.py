"""Combines the net of a prototxt with the weights of a file, by layer name as in Caffe."""

from collections.abc import Sequence
from dataclasses import replace

from caffe_compat.convert.model import Layer, Model
from caffe_compat.convert.report import ConversionReport
from caffe_compat.convert.stored_preprocessing import carry_over
from caffe_compat.errors import GraphError, some_of
from caffe_compat.graph.builder import filter_net
from caffe_compat.layers.recurrent.recurrent import Recurrent
from caffe_compat.layers.registry import facts_of, layer_types
from caffe_compat.net.build import build_net
from caffe_compat.net.settings import Surroundings
from caffe_compat.proto import caffe_pb2
from caffe_compat.proto.read import read_net

#: Largest number of names in an error message.
SHOWN = 5


def with_prototxt(model: Model, prototxt: str, report: ConversionReport, allow_unfilled: bool = False) -> Model:
    """Returns the prototxt's net with the model's weights; drops weights of layers that the prototxt lacks.

    GraphError if no layer name is in both, or if a layer that learns has no weights. With `allow_unfilled`, such layers
    get weights from their fillers.
    """
    net = read_net(prototxt)
    names = {layer.name for layer in net.layer}
    shared = {name: blobs for name, blobs in model.blobs.items() if name in names}
    if model.blobs and not shared:
        raise GraphError(
            f"{prototxt}: expected layers named as in {model.path} ({', '.join(list(model.blobs)[:3])} ...), "
            f"found none of them ({', '.join(list(names)[:3])} ...); give the net that the weights belong to"
        )
    for layer in model.net.layer:
        if layer.name not in names:
            report.dropped(layer.name, f"{prototxt} has no layer of this name")
    known = {layer.name for layer in model.net.layer}
    for name in (layer.name for layer in net.layer if layer.name not in known):
        report.added(name, f"from {prototxt}")
    made = replace(model, net=net, blobs=shared, is_filtered=False)
    carry_over(model, made)
    missing = unfilled_layers(made)
    if missing and not allow_unfilled:
        raise GraphError(
            f"{model.path}: expected weights of all layers of {prototxt} that learn, found none of "
            f"{some_of(missing, SHOWN)}; give the weights of this net, or a file from `caffe-compat convert "
            "--allow-unfilled`, which takes what fillers draw"
        )
    return _filled(made, prototxt, missing, report) if missing else made


def unfilled_layers(model: Model) -> list[str]:
    """Returns the names of layers of phase TEST that have weights in Caffe, but not in the model, in order.

    Layers that share all their weights with a layer in the model are left out.
    """
    layers = filter_net(model.net, caffe_pb2.NetState(phase="TEST")).layer
    owned = {spec.name for layer in layers if layer.name in model.blobs for spec in layer.param if spec.name}
    return [
        layer.name
        for layer in layers
        if layer.name not in model.blobs and _learns(layer) and not _is_shared(layer, owned)
    ]


def _learns(layer: Layer) -> bool:
    """Whether a layer of this type has weights; a second bottom of Scale or Bias replaces their weights."""
    if layer.type not in layer_types():
        return False
    facts = facts_of(layer.type)
    if layer.type == "Normalize" and not layer.HasField("norm_param"):
        return False  # the SRN fork's
    has_operand = facts.bottoms.most == 2 and len(layer.bottom) == 2
    return bool(facts.blob_names or issubclass(facts, Recurrent)) and not has_operand


def _is_shared(layer: Layer, owned: set[str]) -> bool:
    return bool(layer.param) and all(spec.name in owned for spec in layer.param)


def _filled(model: Model, prototxt: str, names: Sequence[str], report: ConversionReport) -> Model:
    """Returns the model with weights from fillers (seed 1) for these layers."""
    net = build_net(read_net(prototxt), caffe_pb2.NetState(phase="TEST"), Surroundings(random_seed=1))
    drawn = {step.layer.name: [blob.detach().numpy() for blob in step.layer.blobs] for step in net.steps}
    for name in names:
        report.noted(name, f"no weights in {model.path}: as its fillers drew")
    return replace(model, blobs=model.blobs | {name: drawn[name] for name in names})
