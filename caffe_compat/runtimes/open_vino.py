"""OpenVINO as an engine (--engine openvino, or openvino-bf16 for products in bfloat16)."""

from collections.abc import Iterable
from functools import partial

import torch

from caffe_compat.errors import MissingFeatureError
from caffe_compat.net.net import Net
from caffe_compat.runtimes.exported_engine import Arrays, ExportedEngine, Session


def openvino_engine(net: Net, requested: Iterable[str] | None) -> ExportedEngine:
    """The net's layers in OpenVINO on the CPU, in float32, with as many threads as torch uses."""
    return ExportedEngine(net, requested, partial(_make_session, precision="f32"), "openvino")


def openvino_bf16_engine(net: Net, requested: Iterable[str] | None) -> ExportedEngine:
    """The same with products in bfloat16, where the processor has instructions for them."""
    return ExportedEngine(net, requested, partial(_make_session, precision="bf16"), "openvino-bf16")


def _make_session(model: bytes, outputs: list[str], precision: str) -> Session:
    try:
        import openvino
    except ImportError as error:
        raise MissingFeatureError(
            "--engine openvino needs OpenVINO; install it: pip install 'caffe-compat[openvino]'"
        ) from error
    core = openvino.Core()
    settings = {
        "INFERENCE_PRECISION_HINT": precision,
        "INFERENCE_NUM_THREADS": torch.get_num_threads(),
        "PERFORMANCE_HINT": "LATENCY",
    }
    request = core.compile_model(core.read_model(model), "CPU", settings).create_infer_request()

    def run(inputs: Arrays) -> Arrays:
        found = request.infer(dict(inputs))
        return {name: found[name] for name in outputs}

    return run
