"""ONNX Runtime: runs a model on the CPU, with as many threads as torch uses."""

import torch

from caffe_compat.errors import MissingFeatureError
from caffe_compat.runtimes.session import Arrays, Session


def onnxruntime_session(model: bytes, outputs: list[str]) -> Session:
    """A session for the bytes of an ONNX file; MissingFeatureError where ONNX Runtime is not installed."""
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
