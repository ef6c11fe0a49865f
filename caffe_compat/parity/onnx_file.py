"""Runs an ONNX file in onnxruntime, and records every value that is named after one of the net's blobs."""

from collections.abc import Mapping, Sequence

import numpy as np
import onnx
import onnxruntime
from google.protobuf.message import DecodeError
from onnx.checker import ValidationError

from caffe_compat.convert.model import require_regular
from caffe_compat.convert.onnx.check import REFUSALS, quiet_session
from caffe_compat.convert.onnx.export import one_line
from caffe_compat.errors import DataError, FormatError, MissingFeatureError
from caffe_compat.net.net import Net
from caffe_compat.parity.recording import Array, Recording


def record_onnx(net: Net, inputs: Mapping[str, Array], path: str) -> Recording:
    """Returns the recording of an ONNX file's run on our inputs.

    Values are matched by name: `blob`, or `blob@layer` if a later layer overwrites the blob; our export uses the same
    names. If names are unknown, inputs and outputs are matched by order; DataError if their numbers differ.
    FormatError for a file that is no ONNX model.
    """
    try:
        return _recorded(net, inputs, path)
    except UnicodeDecodeError as error:  # protobuf looks at a name's bytes when the name is read
        raise FormatError(f"{path}: expected an ONNX model, found a name that is not UTF-8; export it again") from error


def _recorded(net: Net, inputs: Mapping[str, Array], path: str) -> Recording:
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
    recording.is_folded = not any(node.op_type == "BatchNormalization" for node in model.graph.node)
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
    require_regular(path)
    try:
        return onnx.load(path)
    except (ValidationError, ValueError) as error:  # of weights in files of their own, which must lie beside the model
        raise FormatError(f"{path}: its weights cannot be read: {one_line(error)}") from error
    except (DecodeError, OSError) as error:
        raise FormatError(f"{path}: expected an ONNX model, found something else: {one_line(error)}") from error


def _known_values(net: Net, model: onnx.ModelProto) -> list[str]:
    """Returns the graph's values that are named after a blob of our net (`blob`), or blob and layer (`blob@layer`)."""
    tops = {f"{top}@{step.layer.name}" for step in net.steps for top in step.tops}
    names = [name for node in model.graph.node for name in node.output]
    return [name for name in dict.fromkeys(names) if name in tops or (name in net.blobs and name not in net.inputs)]


def _showing(model: onnx.ModelProto, names: Sequence[str]) -> bytes:
    shown = {info.name for info in model.graph.output}
    model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names if name not in shown)
    return bytes(model.SerializeToString())


def _session(path: str, data: bytes) -> onnxruntime.InferenceSession:
    try:
        return quiet_session(data)
    except REFUSALS as error:
        raise MissingFeatureError(f"{path}: onnxruntime cannot load it: {one_line(error)}") from error


def _by_name_or_order(path: str, what: str, theirs: Sequence[str], ours: Sequence[str]) -> dict[str, str]:
    """Returns our name for each of their names: the same names if all are known, else matched by order."""
    if set(theirs) <= set(ours):
        return {name: name for name in theirs}
    if len(theirs) != len(ours):
        raise DataError(
            f"{path}: expected {what} named as in the net ({', '.join(ours)}), or as many, found {', '.join(theirs)}"
        )
    return dict(zip(theirs, ours, strict=True))
