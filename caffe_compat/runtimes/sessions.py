"""The runtimes by the name of their engine: each runs a model on the CPU, with as many threads as torch uses."""

from functools import cache, partial
from threading import Lock
from typing import TYPE_CHECKING

import torch

from caffe_compat.convert.onnx.export import one_line
from caffe_compat.errors import MissingFeatureError
from caffe_compat.runtimes.session import Arrays, MakeSession, Session

if TYPE_CHECKING:
    from openvino import Core


def onnxruntime_session(model: bytes, outputs: list[str]) -> Session:
    """A session for the bytes of an ONNX file.

    MissingFeatureError where ONNX Runtime is not installed, or cannot prepare the model.
    """
    try:
        import onnxruntime

        from caffe_compat.convert.onnx.check import REFUSALS
    except ImportError as error:
        raise MissingFeatureError(
            "--engine onnxruntime needs ONNX Runtime; install it: pip install 'caffe-compat[onnx]'"
        ) from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 3  # errors only
    # Beside another busy program, a forward with spinning threads takes 254 ms, without 99 (docs/performance.md).
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except REFUSALS as error:
        raise MissingFeatureError(
            f"ONNX Runtime cannot run this net: {one_line(error)}; use --engine fast or openvino"
        ) from error

    def run(inputs: Arrays) -> Arrays:
        return dict(zip(outputs, session.run(None, dict(inputs)), strict=True))

    return run


@cache
def _shared_core(core: "type[Core]") -> "Core":
    """Returns the only Core of the process, which lives until the process ends.

    OpenVINO's CPU plugin gives the thread a stack for signal handlers, and the end of a Core frees this stack. After
    several Cores have ended, the thread may use a freed stack: the next Ctrl-C would be a segmentation fault.
    """
    return core()


def openvino_session(model: bytes, outputs: list[str], precision: str = "f32") -> Session:
    """A session for the bytes of an ONNX file; products are computed in `precision`, "f32" or "bf16".

    MissingFeatureError where OpenVINO is not installed, or cannot prepare the model.
    """
    try:
        from openvino import Core
    except ImportError as error:
        raise MissingFeatureError(
            "--engine openvino needs OpenVINO; install it: pip install 'caffe-compat[openvino]'"
        ) from error
    core = _shared_core(Core)
    settings = {
        "INFERENCE_PRECISION_HINT": precision,
        "INFERENCE_NUM_THREADS": torch.get_num_threads(),
        "PERFORMANCE_HINT": "LATENCY",
        "ENABLE_CPU_PINNING": False,  # a pinned thread cannot move to a free processor
    }
    try:
        request = core.compile_model(core.read_model(model), "CPU", settings).create_infer_request()
    except RuntimeError as error:
        last_line = str(error).strip().splitlines()[-1]
        raise MissingFeatureError(
            f"OpenVINO cannot run this net: {last_line}; use --engine fast or onnxruntime"
        ) from error
    one_at_a_time = Lock()  # a request holds the tensors of one run, and those of a second thread would replace them

    def run(inputs: Arrays) -> Arrays:
        with one_at_a_time:
            found = request.infer(dict(inputs))
        return {name: found[index] for index, name in enumerate(outputs)}

    return run


SESSIONS: dict[str, MakeSession] = {
    "onnxruntime": onnxruntime_session,
    "openvino": openvino_session,
    "openvino-bf16": partial(openvino_session, precision="bf16"),
}
