"""Runs a net in OpenCV's Caffe importer (OpenCV 4; version 5 has none)."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import cv2
import numpy as np

from caffe_compat.errors import MissingFeatureError
from caffe_compat.net.net import Net
from caffe_compat.net.weights import blobs_of
from caffe_compat.parity.comparison import TOLERANCE, Comparison, Key, compare
from caffe_compat.parity.opencv_rewrites import REWRITES, Rewrite
from caffe_compat.parity.trace import Array, fill_inputs, trace
from caffe_compat.proto import caffe_pb2
from caffe_compat.proto.write import text, weights_chunks

#: Layers that compare or swallow: they have no place in a deploy net, and OpenCV cannot run them.
NOT_RUN = {"Accuracy", "Silence"}


@dataclass
class OpenCvNet:
    """A net as OpenCV reads it: prototxt and weights in memory, and what had to be said in other words."""

    prototxt: bytes
    weights: bytes
    layers: list[str]
    tops: dict[str, list[str]]
    notes: list[str] = field(default_factory=list)


def compare_with_opencv(net: Net, inputs: Mapping[str, Array], tolerance: float = TOLERANCE) -> Comparison:
    """Runs a TEST net here and in OpenCV on the same inputs (one array an input blob) and compares every top."""
    require_importer()
    fill_inputs(net, inputs)
    other = translate(net)
    comparison = compare(trace(net, inputs), run(other, inputs), f"OpenCV {cv2.__version__}", tolerance)
    comparison.notes = other.notes
    return comparison


def require_importer() -> None:
    """OpenCV 5 dropped the Caffe importer."""
    if not hasattr(cv2.dnn, "readNetFromCaffe") or int(cv2.__version__.split(".")[0]) > 4:
        raise MissingFeatureError(
            f"OpenCV {cv2.__version__} has no Caffe importer (it went with version 5); install 'opencv-python>=4.10,<5'"
        )


def translate(net: Net) -> OpenCvNet:
    """The net in layers that OpenCV has, with weights; Splits go, BN and Reduction are rewritten."""
    parameter = caffe_pb2.NetParameter(name=net.parameter.name)
    blobs = blobs_of([step.layer for step in net.steps])
    alias = {top: step.bottoms[0] for step in net.steps if step.layer.spec.type == "Split" for top in step.tops}
    layers, tops, notes = [], {}, []
    for step in net.steps:
        if step.layer.spec.type in {"Split", *NOT_RUN} or step.layer.is_loss:
            continue
        layer = _plain(step.layer.spec.parameter, alias)
        shapes = [net.blobs[bottom].shape for bottom in step.bottoms]
        maker = REWRITES.get(layer.type)
        rewrite = (maker(layer, blobs.get(layer.name, []), shapes[0]) if maker else None) or Rewrite([layer])
        parameter.layer.extend(rewrite.layers)
        blobs |= rewrite.blobs
        notes += [f"{layer.name}: {rewrite.note}"] if rewrite.note else []
        if not step.layer.is_input:
            layers.append(layer.name)
            tops[layer.name] = step.tops
    _set_input_shapes(parameter, net)
    known = {layer.name for layer in parameter.layer}
    kept = {name: arrays for name, arrays in blobs.items() if name in known}
    return OpenCvNet(text(parameter).encode(), b"".join(weights_chunks(parameter, kept, "bvlc")), layers, tops, notes)


def _plain(source: caffe_pb2.LayerParameter, alias: Mapping[str, str]) -> caffe_pb2.LayerParameter:
    # OpenCV does not know phases, rules or multipliers; it keeps layers of every phase (tried on 4.14).
    layer = caffe_pb2.LayerParameter()
    layer.CopyFrom(source)
    for name in ("include", "exclude", "phase", "param", "propagate_down", "loss_weight"):
        layer.ClearField(name)
    layer.bottom[:] = [alias.get(bottom, bottom) for bottom in layer.bottom]
    return layer


def _set_input_shapes(parameter: caffe_pb2.NetParameter, net: Net) -> None:
    for layer in parameter.layer:
        if layer.type == "Input":
            del layer.input_param.shape[:]
            for top in layer.top:
                layer.input_param.shape.add(dim=net.blobs[top].shape)


def run(other: OpenCvNet, inputs: Mapping[str, Array]) -> dict[Key, Array]:
    """Every top by (layer, top), layers not fused, so that each can be read."""
    try:
        network = cv2.dnn.readNetFromCaffe(
            np.frombuffer(other.prototxt, np.uint8), np.frombuffer(other.weights, np.uint8)
        )
        network.enableFusion(False)
        for name, values in inputs.items():
            network.setInput(np.ascontiguousarray(values, np.float32), name)
        results = network.forwardAndRetrieve(other.layers)
    except cv2.error as error:
        raise MissingFeatureError(f"OpenCV {cv2.__version__} cannot run this net: {error}") from error
    return {
        (layer, top): value
        for layer, values in zip(other.layers, results, strict=True)
        for top, value in zip(other.tops[layer], values, strict=False)
    }
