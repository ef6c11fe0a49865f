"""A runtime that reads Caffe nets, weights and solvers and runs them on PyTorch; it looks like `import caffe`.

Names are looked up when first used, so that the schema alone can be imported without torch.
"""

import importlib
from typing import Any

_HOMES = {
    "AdaDeltaSolver": "caffe_compat.pycaffe.solver",
    "AdaGradSolver": "caffe_compat.pycaffe.solver",
    "AdamSolver": "caffe_compat.pycaffe.solver",
    "NesterovSolver": "caffe_compat.pycaffe.solver",
    "Net": "caffe_compat.pycaffe.net",
    "RMSPropSolver": "caffe_compat.pycaffe.solver",
    "SGDSolver": "caffe_compat.pycaffe.solver",
    "TEST": "caffe_compat.proto.caffe_pb2",
    "TRAIN": "caffe_compat.proto.caffe_pb2",
    "get_solver": "caffe_compat.pycaffe.solver",
    "load": "caffe_compat.convert.module",
    "set_device": "caffe_compat.net.device",
    "set_mode_cpu": "caffe_compat.net.device",
    "set_mode_gpu": "caffe_compat.net.device",
}

__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'caffe_compat' has no attribute '{name}'")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
