"""ONNX Runtime as an engine (--engine onnxruntime)."""

from collections.abc import Iterable

import torch

from caffe_compat.errors import MissingFeatureError
from caffe_compat.net.net import Net
from caffe_compat.runtimes.exported_engine import Arrays, ExportedEngine, Session


def onnxruntime_engine(net: Net, requested: Iterable[str] | None) -> ExportedEngine:
    """The net's layers in ONNX Runtime on the CPU, with as many threads as torch uses."""
    return ExportedEngine(net, requested, _make_session, "onnxruntime")


def _make_session(model: bytes, outputs: list[str]) -> Session:
    try:
        import onnxruntime
    except ImportError as error:
        raise MissingFeatureError(
            "--engine onnxruntime needs ONNX Runtime; install it: pip install 'caffe-compat[onnx]'"
        ) from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 3  # errors only
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])

    def run(inputs: Arrays) -> Arrays:
        return dict(zip(outputs, session.run(outputs, dict(inputs)), strict=True))

    return run
