"""Engines, through which solvers and programs run a net: their interface, the exact one, and creation by name."""

import importlib
from collections.abc import Callable, Iterable
from functools import partial
from typing import Protocol

import torch
from torch import Tensor

from caffe_compat.engine.fast import FastEngine
from caffe_compat.errors import MissingFeatureError
from caffe_compat.net.net import Net


class Engine(Protocol):
    """Runs one net. After a run the net's output blobs hold their values; the exact engine fills every blob."""

    net: Net

    def keep(self, blobs: Iterable[str]) -> None:
        """Makes the next and later runs also store the values of these blobs."""

    def forward(self) -> Tensor:
        """Runs one forward pass; returns the weighted sum of the losses, shape (), on the net's device."""

    def forward_backward(self) -> Tensor:
        """Runs forward and backward; adds to the gradients of learnable weights and returns the loss, shape ()."""


class ExactEngine:
    """Runs all layers of a net in order, as Caffe does, in float32.

    Every blob is readable, and in-place layers overwrite blobs.
    """

    def __init__(self, net: Net) -> None:
        self.net = net

    def keep(self, blobs: Iterable[str]) -> None:
        """Does nothing, since every blob holds its values after a run."""

    def forward(self) -> Tensor:
        """Runs all layers; returns the weighted sum of the losses, shape ()."""
        return self.net.run_range(0, len(self.net.steps) - 1)

    def forward_backward(self) -> Tensor:
        """Runs all layers forward and then backward; returns the weighted sum of the losses, shape ()."""
        loss = self.forward()
        self.net.backward_range(len(self.net.steps) - 1, 0)
        return loss


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
