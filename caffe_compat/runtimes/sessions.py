"""The runtimes by the name of their engine."""

from functools import partial

from caffe_compat.runtimes.onnx_runtime import onnxruntime_session
from caffe_compat.runtimes.open_vino import openvino_session
from caffe_compat.runtimes.session import MakeSession

SESSIONS: dict[str, MakeSession] = {
    "onnxruntime": onnxruntime_session,
    "openvino": openvino_session,
    "openvino-bf16": partial(openvino_session, precision="bf16"),
}
