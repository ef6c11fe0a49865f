"""LazyForward: a whole net by an engine that fuses layers; blobs between input and output are computed when read."""

from collections.abc import Callable, Mapping
from itertools import chain
from weakref import WeakValueDictionary

import torch
from torch import Tensor

from caffe_compat.engine.create import ENGINES, Engine, create_engine
from caffe_compat.engine.fast import FastEngine
from caffe_compat.graph.wiring import Step
from caffe_compat.layers.base import as_tuple
from caffe_compat.net.blob import SyncedTensor
from caffe_compat.net.net import Net
from caffe_compat.net.settings import exact_arithmetic

PRECISIONS = {"fast": torch.float32, "fast-bf16": torch.bfloat16}
#: The engines that fuse layers: all but the exact one.
FUSING = tuple(name for name in ENGINES if name != "exact")


class LazyForward:
    """Runs a whole net with an engine that fuses layers, and keeps the inputs to compute inner blobs later.

    Inner blobs read later are exact: computed layer by layer from the inputs and weights of the run. The net's outputs
    differ from exact ones by rounding.
    """

    def __init__(self, net: Net, engine: str = "fast") -> None:
        self._net = net
        self._engine = _engine_for(net, engine)
        self._settle: Callable[[], None] = _nothing
        # The shapes that all blobs match: until the first run, those with which the net was built.
        self._shapes = [shape for step in net.steps if step.layer.is_input for shape in step.top_shapes]
        self._suits = _suits(net)
        shown = {*net.inputs, *net.outputs}
        self._inner = [blob.value for name, blob in net.blobs.items() if name not in shown]

    def allows(self) -> bool:
        """Whether a fast run now cannot be told from an exact one, apart from rounding.

        This holds if there are no hooks, input shapes are unchanged, and no user holds an array of an inner blob or
        weight.
        """
        net = self._net
        return (
            self._suits
            and not (net.forward_hooks.before or net.forward_hooks.after)
            and self._shapes == self._input_shapes()
            and not any(value.is_looked_at for value in self._inner)
            and not any(blob.is_held for blobs in net.params.values() for blob in blobs)
        )

    def forward(self) -> Tensor:
        """Runs one forward pass; returns the weighted sum of the losses, shape (), on the net's device."""
        net = self._net
        inputs = {name: net.blobs[name].value.snapshot() for name in net.inputs}
        loss = self._engine.forward()
        shown = {*net.inputs, *net.outputs}
        later = _Later(net.steps, inputs, {name: b.value for name, b in net.blobs.items() if name not in shown})
        for value in self._inner:
            value.pending = later
        for blobs in net.params.values():
            for blob in blobs:
                blob.before_access = later
        self._settle = later
        return loss

    def settle(self) -> None:
        """Computes the inner blobs that the last run skipped; called before inputs or weights change."""
        self._settle()
        self._settle = _nothing

    def note_shapes(self) -> None:
        """Records the inputs' shapes, which now match all blobs: called after an exact run or a reshape."""
        self._shapes = self._input_shapes()

    def _input_shapes(self) -> list[tuple[int, ...]]:
        return [self._net.blobs[name].shape for name in self._net.inputs]


def _engine_for(net: Net, name: str) -> Engine:
    """Returns the engine of this name, for a net whose weights keep the memory order that users see."""
    if name in PRECISIONS:
        return FastEngine(net, precision=PRECISIONS[name], lays_out_weights=False)
    return create_engine(name, net)


def _nothing() -> None:
    pass


def _suits(net: Net) -> bool:
    """Whether layers may run later, or twice, without a visible difference."""
    writes_inputs = any(top in net.inputs for step in net.steps if not step.layer.is_input for top in step.tops)
    return (
        net.phase == "TEST"
        and not writes_inputs
        and not net.parameter.debug_info
        and all(step.layer.is_input or _is_pure(step) for step in net.steps)
    )


def _is_pure(step: Step) -> bool:
    return bool(step.bottoms) and step.layer.is_pure() and not step.needs_backward and step.layer.phase == "TEST"


class _Later:
    """Computes inner blobs from the inputs of a run.

    Holds the layers and not the net, because a user may keep a blob longer than its net.
    """

    def __init__(self, steps: list[Step], inputs: Mapping[str, Tensor], inner: Mapping[str, SyncedTensor]) -> None:
        self._steps = steps
        self._values = dict(inputs)
        self._inner = WeakValueDictionary(inner)
        self._is_done = False

    def __call__(self) -> None:
        if self._is_done:
            return
        self._is_done = True
        wanted = {name: value for name, value in self._inner.items() if value.pending is self}
        for value in wanted.values():
            value.pending = None
        weights = (blob for step in self._steps for blob in step.layer.blobs)
        device = next((tensor.device for tensor in chain(self._values.values(), weights)), torch.device("cpu"))
        with torch.no_grad(), exact_arithmetic(device):
            self._run(wanted)
        self._values.clear()

    def _run(self, wanted: Mapping[str, SyncedTensor]) -> None:
        for step in self._steps:
            if step.layer.is_input:
                continue
            tops = as_tuple(step.layer(*(self._values[bottom] for bottom in step.bottoms)))
            self._values.update(zip(step.tops, tops, strict=True))
        for name, value in wanted.items():
            value.assign(self._values[name])
