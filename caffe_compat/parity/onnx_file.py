"""Runs an ONNX file in onnxruntime, with every value that has the name of one of the net's blobs as an output."""

from collections.abc import Mapping, Sequence

import numpy as np
import onnx
import onnxruntime
from google.protobuf.message import DecodeError

from caffe_compat.convert.onnx.check import REFUSALS
from caffe_compat.convert.onnx.export import one_line
from caffe_compat.errors import DataError, FormatError, MissingFeatureError
from caffe_compat.net.net import Net
from caffe_compat.parity.recording import Array, Recording


def record_onnx(net: Net, inputs: Mapping[str, Array], path: str) -> Recording:
    """The file's run on our inputs.

    Values are found by name: `blob`, or `blob@layer` where a later layer writes the blob anew, as our own export names
    them. Where no name is known, inputs and outputs are taken in order. DataError where their numbers differ.
    """
    model = _model(path)
    known = _known_values(net, model)
    session = _session(path, _showing(model, known))
    feeds = _by_name_or_order(path, "inputs", [one.name for one in session.get_inputs()], net.inputs)
    try:
        values = session.run(None, {name: np.asarray(inputs[ours], np.float32) for name, ours in feeds.items()})
    except REFUSALS as error:
        raise MissingFeatureError(f"{path}: onnxruntime cannot run it on these inputs: {one_line(error)}") from error
    made = dict(zip((one.name for one in session.get_outputs()), values, strict=True))
    recording = Recording(f"{path} in onnxruntime {onnxruntime.__version__}", inputs=dict(inputs))
    if not known:
        outputs = _by_name_or_order(path, "outputs", [info.name for info in model.graph.output], net.outputs)
        recording.blobs = {ours: made[name] for name, ours in outputs.items()}
        recording.notes.append(f"{path}: no value has the name of a blob; outputs are compared in order")
        return recording
    for name in known:
        blob, _, layer = name.rpartition("@")
        if blob:
            recording.tops[f"{layer}/{blob}"] = made[name]
        else:
            recording.blobs[name] = made[name]
    return recording


def _model(path: str) -> onnx.ModelProto:
    try:
        return onnx.load(path)
    except (DecodeError, OSError) as error:
        raise FormatError(f"{path}: expected an ONNX model, found something else: {one_line(error)}") from error


def _known_values(net: Net, model: onnx.ModelProto) -> list[str]:
    """Values of the graph that are named after a blob of ours, or after a blob and the layer that makes it."""
    tops = {f"{top}@{step.layer.name}" for step in net.steps for top in step.tops}
    names = [name for node in model.graph.node for name in node.output]
    return [name for name in dict.fromkeys(names) if name in tops or (name in net.blobs and name not in net.inputs)]


def _showing(model: onnx.ModelProto, names: Sequence[str]) -> bytes:
    shown = {info.name for info in model.graph.output}
    model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names if name not in shown)
    return bytes(model.SerializeToString())


def _session(path: str, data: bytes) -> onnxruntime.InferenceSession:
    try:
        return onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    except REFUSALS as error:
        raise MissingFeatureError(f"{path}: onnxruntime cannot load it: {one_line(error)}") from error


def _by_name_or_order(path: str, what: str, theirs: Sequence[str], ours: Sequence[str]) -> dict[str, str]:
    """Our name for each of theirs: the same where all are known, else in order."""
    if set(theirs) <= set(ours):
        return {name: name for name in theirs}
    if len(theirs) != len(ours):
        raise DataError(
            f"{path}: expected {what} named as in the net ({', '.join(ours)}), or as many, found {', '.join(theirs)}"
        )
    return dict(zip(theirs, ours, strict=True))
