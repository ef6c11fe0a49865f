"""Creates engines by name."""

import importlib
from collections.abc import Callable, Iterable
from functools import partial

import torch

from caffe_compat.engine.base import Engine
from caffe_compat.engine.exact import ExactEngine
from caffe_compat.engine.fast import FastEngine
from caffe_compat.errors import MissingFeatureError
from caffe_compat.net.net import Net

MakeEngine = Callable[[Net, Iterable[str] | None], Engine]


def _exported(name: str) -> MakeEngine:
    """Returns a function that creates an engine of another runtime.

    The engine lies in a package that imports this one, so it is imported only on request.
    """

    def make(net: Net, requested: Iterable[str] | None) -> Engine:
        home = importlib.import_module("caffe_compat.runtimes.exported_engine")
        made: Engine = home.ExportedEngine(net, requested, name)
        return made

    return make


#: fast-bf16 computes products in bfloat16 (autocast); weights, statistics and losses stay float32. The last three
#: run in another runtime and cannot train.
ENGINES: dict[str, MakeEngine] = {
    "exact": lambda net, requested: ExactEngine(net),
    "fast": FastEngine,
    "fast-bf16": partial(FastEngine, precision=torch.bfloat16),
    **{name: _exported(name) for name in ("onnxruntime", "openvino", "openvino-bf16")},
}


def create_engine(name: str, net: Net, requested: Iterable[str] | None = None) -> Engine:
    """Returns the engine of this name for the net; `requested` names the blobs to compute (None: the net's outputs).

    The exact engine runs every layer for any request. Raises MissingFeatureError for an unknown name and for an engine
    whose runtime is not installed.
    """
    if name not in ENGINES:
        raise MissingFeatureError(f"no engine '{name}'; expected one of: {', '.join(ENGINES)}")
    return ENGINES[name](net, requested)
