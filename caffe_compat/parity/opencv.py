"""Runs a net in OpenCV's Caffe importer (OpenCV 4; version 5 has none)."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import cv2
import numpy as np

from caffe_compat.errors import MissingFeatureError
from caffe_compat.net.net import Net, Step
from caffe_compat.net.weights import blobs_of
from caffe_compat.parity.compare import compare
from caffe_compat.parity.comparison import Comparison
from caffe_compat.parity.measure import TOLERANCES, Tolerances
from caffe_compat.parity.opencv_rewrites import Place, Rewrite, rewrite_for_opencv
from caffe_compat.parity.recording import Array, Recording
from caffe_compat.parity.replay import fill_inputs, value_of
from caffe_compat.proto import caffe_pb2
from caffe_compat.proto.write import text, weights_chunks

#: Layers that compare or swallow: nothing reads what they give, so that they are left out.
LEFT_OUT = frozenset({"Accuracy", "Silence"})


@dataclass
class OpenCvNet:
    """A net in OpenCV's words: layers and weights, what is fed from outside, and where each top is found."""

    parameter: caffe_pb2.NetParameter
    blobs: dict[str, list[Array]] = field(default_factory=dict)
    fed: dict[str, str] = field(default_factory=dict)  # OpenCV's name of an input: `layer/top` in our net
    found: dict[str, str] = field(default_factory=dict)  # `layer/top` in our net: OpenCV's layer
    notes: list[str] = field(default_factory=list)


def compare_with_opencv(
    net: Net, inputs: Mapping[str, Array], tolerances: Tolerances = TOLERANCES["float32"]
) -> Comparison:
    """Runs a TEST net here and in OpenCV on the same inputs (one array an input blob) and compares every top."""
    return compare(net, record_opencv(net, inputs), inputs, tolerances)


def record_opencv(net: Net, inputs: Mapping[str, Array]) -> Recording:
    """OpenCV's run of our net. Layers that it cannot run are fed from our run, and listed in the notes."""
    require_importer()
    fill_inputs(net, inputs)
    other = translate(net)
    feeds = _values_to_feed(net, other)
    recording = Recording(f"OpenCV {cv2.__version__}", inputs=dict(inputs), notes=other.notes)
    recording.tops.update(_run(other, feeds))
    inputs_of_net = {f"{step.layer.name}/{top}" for step in net.steps if step.layer.is_input for top in step.tops}
    recording.fed = {key: feeds[name] for name, key in other.fed.items() if key not in inputs_of_net}
    return recording


def require_importer() -> None:
    """OpenCV 5 dropped the Caffe importer."""
    if not hasattr(cv2.dnn, "readNetFromCaffe") or int(cv2.__version__.split(".")[0]) > 4:
        raise MissingFeatureError(
            f"OpenCV {cv2.__version__} has no Caffe importer (it went with version 5); install 'opencv-python>=4.10,<5'"
        )


def translate(net: Net) -> OpenCvNet:
    """The net in layers that OpenCV has; every top gets a name of its own, so that in-place layers can be read."""
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
    # Labels, when the losses are gone: OpenCV refuses to run with them.
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
        rewrite = rewrite_for_opencv(Place(layer, blobs, shapes, [net.blobs[top].shape for top in step.tops]))
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
    layer.name = layer.top[0]  # OpenCV names a convolution after its top: so do we with every layer
    return layer


def _feed(net: Net, step: Step, other: OpenCvNet, names: Mapping[str, str]) -> None:
    for top, name in names.items():
        layer = other.parameter.layer.add(name=name, type="Input", top=[name])
        layer.input_param.shape.add(dim=net.blobs[top].shape)
        other.fed[name] = f"{step.layer.name}/{top}"
    if not step.layer.is_input:
        other.notes.append(f"{step.layer.spec}: OpenCV has nothing for it; its tops are fed from our run")


def _add(step: Step, other: OpenCvNet, names: Mapping[str, str], rewrite: Rewrite) -> None:
    other.parameter.layer.extend(rewrite.layers)
    other.blobs |= rewrite.blobs
    if rewrite.note:
        other.notes.append(f"{step.layer.spec}: {rewrite.note}")
    other.found |= {f"{step.layer.name}/{top}": name for top, name in names.items()}


def _values_to_feed(net: Net, other: OpenCvNet) -> dict[str, Array]:
    """What OpenCV's inputs get: our tops, taken right after their layers ran."""
    names = {key: name for name, key in other.fed.items()}
    feeds = {}
    for index, step in enumerate(net.steps):
        net.forward_range(index, index)
        step.inputs, step.outputs = [], []
        for top in step.tops:
            if (key := f"{step.layer.name}/{top}") in names:
                feeds[names[key]] = np.array(value_of(net, top), np.float32)
    return feeds


def _run(other: OpenCvNet, feeds: Mapping[str, Array]) -> dict[str, Array]:
    """Every top by `layer/top`; layers are not fused, so that each can be read."""
    layers = list(other.found.values())
    if not layers:
        raise MissingFeatureError(f"OpenCV {cv2.__version__} has none of this net's layers")
    prototxt = text(other.parameter).encode()
    weights = b"".join(weights_chunks(other.parameter, other.blobs, "bvlc"))
    try:
        network = cv2.dnn.readNetFromCaffe(np.frombuffer(prototxt, np.uint8), np.frombuffer(weights, np.uint8))
        network.enableFusion(False)
        network.enableWinograd(False)  # it costs two digits
        for name, values in feeds.items():
            network.setInput(values, name)
        results = network.forwardAndRetrieve(layers)
    except cv2.error as error:
        raise MissingFeatureError(f"OpenCV {cv2.__version__} cannot run this net: {error}") from error
    return {key: result[0] for key, result in zip(other.found, results, strict=True)}
