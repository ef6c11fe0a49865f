"""Engines by name."""

from collections.abc import Callable, Iterable
from functools import partial

import torch

from caffe_compat.engine.base import Engine
from caffe_compat.engine.exact import ExactEngine
from caffe_compat.engine.fast import FastEngine
from caffe_compat.errors import MissingFeatureError
from caffe_compat.net.net import Net

#: fast-bf16 computes products in bfloat16 (autocast); weights, statistics and losses stay float32.
ENGINES: dict[str, Callable[[Net, Iterable[str] | None], Engine]] = {
    "exact": lambda net, requested: ExactEngine(net),
    "fast": FastEngine,
    "fast-bf16": partial(FastEngine, precision=torch.bfloat16),
}


def create_engine(name: str, net: Net, requested: Iterable[str] | None = None) -> Engine:
    """The engine of this name for this net; `requested` are the blobs wanted of it (None: the net's outputs).

    The exact engine runs every layer, whatever is requested.
    """
    if name not in ENGINES:
        raise MissingFeatureError(f"no engine '{name}'; expected one of: {', '.join(ENGINES)}")
    return ENGINES[name](net, requested)
