"""Uses files of trained nets as a side of a comparison: ONNX, safetensors, torch state dicts, or Caffe's weights."""

from collections.abc import Mapping
from itertools import takewhile
from pathlib import Path

from caffe_compat.convert.running_net import WHOLE_ENDINGS, copy_file, describes_its_net, net_of_file
from caffe_compat.errors import MissingFeatureError
from caffe_compat.graph.wiring import Step
from caffe_compat.layers.activation.scale import Scale
from caffe_compat.layers.normalization.batch_norm import BatchNorm
from caffe_compat.layers.normalization.bn import BN
from caffe_compat.net.net import Net
from caffe_compat.parity.own_runs import record_layers, twin
from caffe_compat.parity.recording import Array, Recording

#: Suffixes of Caffe's own weights files, which need a prototxt.
CAFFE_ENDINGS = (".caffemodel", ".h5")
ONNX_ENDING = ".onnx"
ENDINGS = (*CAFFE_ENDINGS, *WHOLE_ENDINGS, ONNX_ENDING)


def is_model_file(path: str) -> bool:
    """Whether the suffix of the path is one of trained nets."""
    return path.endswith(ENDINGS)


def record_model_file(
    net: Net, inputs: Mapping[str, Array], path: str, seeds: Mapping[str, Array] | None = None
) -> Recording:
    """Returns the recording of a model file's run on the inputs.

    onnxruntime runs ONNX files. A file that contains its net runs as this net, here. Caffe's weights run in a copy of
    our net.
    """
    if not Path(path).is_file():
        raise MissingFeatureError(f"--against {path}: expected a file, found none")
    if path.endswith(ONNX_ENDING):
        if seeds is not None:
            raise MissingFeatureError(f"{path}: onnxruntime runs nets forward only; leave --backward out")
        return _after_folded_norms(net, _record_onnx(net, inputs, path))
    other = net_of_file(path) if describes_its_net(path) else _with_weights(net, path)
    recording = record_layers(other, inputs, seeds=seeds)
    recording.source = path
    recording.is_folded = not any(_normalises(step) for step in other.steps)
    other.close()
    return _after_folded_norms(net, recording)


def _after_folded_norms(net: Net, recording: Recording) -> Recording:
    """Moves tops of weights that contain the normalisations behind them (`convert --fold`) to the last of these.

    This is needed where normalisations run in place, because the blob's name then stays the same.
    """
    if not recording.is_folded:
        return recording
    for index, step in enumerate(net.steps):
        for top in step.tops:
            later = [other for other in net.steps[index + 1 :] if top in other.tops]
            chain = list(takewhile(lambda other: _normalises(other) or isinstance(other.layer, Scale), later))
            if chain and _normalises(chain[0]) and len(later) > len(chain) and not _normalises(step):
                folded = recording.tops.pop(f"{step.layer.name}/{top}", None)
                if folded is not None:
                    recording.tops[f"{chain[-1].layer.name}/{top}"] = folded
    return recording


def _normalises(step: Step) -> bool:
    return isinstance(step.layer, BatchNorm | BN)


def _with_weights(net: Net, path: str) -> Net:
    copy = twin(net)
    copy_file(copy, path)
    return copy


def _record_onnx(net: Net, inputs: Mapping[str, Array], path: str) -> Recording:
    try:
        from caffe_compat.parity.onnx_file import record_onnx
    except ModuleNotFoundError as error:
        raise MissingFeatureError(
            f"{path}: ONNX needs the package '{error.name}': pip install onnx onnxruntime"
        ) from error
    return record_onnx(net, inputs, path)
