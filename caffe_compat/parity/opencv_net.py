"""Translates a net for OpenCV's Caffe importer."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from caffe_compat.graph.wiring import Step
from caffe_compat.net.net import Net
from caffe_compat.net.weights import blobs_of
from caffe_compat.parity.opencv_chain import ChainLayer, Rewrite
from caffe_compat.parity.opencv_rewrites import REWRITES, rewrite_for_opencv
from caffe_compat.parity.recording import Array
from caffe_compat.proto import caffe_pb2

#: Layers that are left out, because no layer reads their tops.
LEFT_OUT = frozenset({"Accuracy", "Silence"})


@dataclass
class OpenCvNet:
    """A net for OpenCV: layers and weights, inputs fed from outside, and the OpenCV layer of each top."""

    parameter: caffe_pb2.NetParameter
    blobs: dict[str, list[Array]] = field(default_factory=dict)
    fed: dict[str, str] = field(default_factory=dict)  # OpenCV's name of an input: `layer/top` in our net
    found: dict[str, str] = field(default_factory=dict)  # `layer/top` in our net: OpenCV's layer
    notes: list[str] = field(default_factory=list)


def translate(net: Net) -> OpenCvNet:
    """Returns the net with layers that OpenCV has; every top gets a unique name, so that in-place tops can be read."""
    other = OpenCvNet(caffe_pb2.NetParameter(name=net.parameter.name))
    blobs = blobs_of([step.layer for step in net.steps])
    current: dict[str, str] = {}
    for step in net.steps:
        if step.layer.spec.type == "Split":
            current |= dict.fromkeys(step.tops, current[step.bottoms[0]])
        elif step.layer.spec.type not in LEFT_OUT and not step.layer.is_loss:
            _translate_step(net, step, other, current, blobs.get(step.layer.name, []))
    _drop_unread_inputs(other)
    return other


def _drop_unread_inputs(other: OpenCvNet) -> None:
    # Finds unread inputs: without losses nobody reads labels, and OpenCV refuses to run with unread inputs.
    read = {bottom for layer in other.parameter.layer for bottom in layer.bottom}
    kept = [layer for layer in other.parameter.layer if layer.type != "Input" or layer.top[0] in read]
    other.fed = {name: key for name, key in other.fed.items() if name in read}
    del other.parameter.layer[:]
    other.parameter.layer.extend(kept)


def _translate_step(net: Net, step: Step, other: OpenCvNet, current: dict[str, str], blobs: list[Array]) -> None:
    names = {top: f"{step.layer.name}|{top}" for top in step.tops}
    layer = _plain(step, current, names)
    shapes = [net.blobs[bottom].shape for bottom in step.bottoms]
    rewrite = None
    if step.bottoms:
        rewrite = rewrite_for_opencv(ChainLayer(layer, blobs, shapes, [net.blobs[top].shape for top in step.tops]))
    if rewrite is None:
        _feed(net, step, other, names)
    else:
        _add(step, other, names, rewrite)
    current |= names


def _plain(step: Step, current: Mapping[str, str], names: Mapping[str, str]) -> caffe_pb2.LayerParameter:
    # OpenCV does not know phases, rules or multipliers; it keeps layers of every phase (tried on 4.14).
    layer = caffe_pb2.LayerParameter()
    layer.CopyFrom(step.layer.spec.parameter)
    for name in ("include", "exclude", "phase", "param", "propagate_down", "loss_weight"):
        layer.ClearField(name)
    layer.bottom[:] = [current[bottom] for bottom in step.bottoms]
    layer.top[:] = [names[top] for top in step.tops]
    layer.name = layer.top[0]  # OpenCV names a convolution after its top, so all layers are named this way here
    return layer


def _feed(net: Net, step: Step, other: OpenCvNet, names: Mapping[str, str]) -> None:
    for top, name in names.items():
        layer = other.parameter.layer.add(name=name, type="Input", top=[name])
        layer.input_param.shape.add(dim=net.blobs[top].shape)
        other.fed[name] = f"{step.layer.name}/{top}"
    if not step.layer.is_input:
        lacks = "has it in another form only" if step.layer.spec.type in REWRITES else "has nothing for it"
        other.notes.append(f"{step.layer.spec}: OpenCV {lacks}; its tops are fed from our run")


def _add(step: Step, other: OpenCvNet, names: Mapping[str, str], rewrite: Rewrite) -> None:
    other.parameter.layer.extend(rewrite.layers)
    other.blobs |= rewrite.blobs
    if rewrite.note:
        other.notes.append(f"{step.layer.spec}: {rewrite.note}")
    other.found |= {f"{step.layer.name}/{top}": name for top, name in names.items()}
