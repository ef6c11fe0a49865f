"""Runs our net layer by layer next to another side's recording, on our own bottoms or on the other side's."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor

from caffe_compat.errors import CaffeError, ShapeError
from caffe_compat.graph.comparing import jumps
from caffe_compat.graph.wiring import Step, Wiring
from caffe_compat.layers.data.memory_data import MemoryData
from caffe_compat.net.net import Net
from caffe_compat.parity.random_layers import is_random, is_source
from caffe_compat.parity.recording import Array, Recorded, Recording
from caffe_compat.terminal.progress import follow


def is_inserted_split(step: Step) -> bool:
    """Whether the layer is a Split that was inserted when the net was built."""
    return step.layer.spec.type == "Split" and step.layer.name.endswith("_split")


def fill_inputs(net: Net, inputs: Mapping[str, Array]) -> None:
    """Starts a run: copies arrays, with their shapes, into the net's input blobs and MemoryData layers.

    Also resets the states of recurrent layers, because the other side's run started without states.
    """
    missing = sorted(set(net.inputs) - set(inputs))
    if missing:
        raise ShapeError(f"net '{net.name}': expected values for the inputs {net.inputs}, missing {missing}")
    for name in net.inputs:
        net.blobs[name].reshape(*inputs[name].shape)
    net.reshape()
    for name in net.inputs:
        put(net, name, inputs[name])
    for step in net.steps:
        step.layer.forget()
        if isinstance(step.layer, MemoryData) and all(top in inputs for top in step.tops):
            step.layer.reset(*(inputs[top] for top in step.tops))


def put(net: Net, blob: str, values: Array) -> None:
    """Stores the other side's values and their shape in a blob."""
    net.blobs[blob].assign(torch.tensor(values, dtype=torch.float32, device=net.device))


def array_of(value: Tensor) -> Array:
    """Returns a tensor as a host array; bfloat16 becomes float32, since NumPy lacks bfloat16."""
    value = value.detach().cpu()
    return (value.float() if value.dtype == torch.bfloat16 else value).numpy()


def value_of(net: Net, blob: str) -> Array:
    """Returns a blob's values; unlike `blob.data`, leaves no host array to keep in step."""
    return array_of(net.blobs[blob].value.tensor())


def gradient_of(net: Net, blob: str) -> Array:
    """Returns a blob's gradient; unlike `blob.diff`, leaves no host array to keep in step."""
    return array_of(net.blobs[blob].gradient.tensor())


@contextmanager
def weights_kept(net: Net) -> Iterator[None]:
    """Restores weights, running statistics and the random state after the `with` block."""
    kept = [parameter.detach().clone() for parameter in net.parameters()]
    state = torch.get_rng_state()
    try:
        yield
    finally:
        torch.set_rng_state(state)
        with torch.no_grad():
            for parameter, values in zip(net.parameters(), kept, strict=True):
                parameter.copy_(values)


def last_writers(net: Net) -> dict[str, int]:
    """Returns, by blob, the index of the last layer that writes it."""
    return {name: index for name, (index, _) in Wiring.of_steps(net.steps).last.items()}


def first_readers(net: Net) -> dict[str, int]:
    """Returns, by blob, the index of the first layer that reads it; the blob's gradient is complete there."""
    return {bottom: index for index, step in reversed(list(enumerate(net.steps))) for bottom in step.bottoms}


class Replay:
    """One pass over the net; `forward` and `backward` yield each layer right after the layer ran.

    If `follows`, the other side's values then replace ours, so that the next layer starts from them.
    """

    def __init__(
        self, net: Net, other: Recording, inputs: Mapping[str, Array], follows: bool, keeps_graph: bool = False
    ) -> None:
        self.net = net
        self.other = other
        self.inputs = inputs
        self.follows = follows
        self.keeps_graph = keeps_graph
        self.failed: dict[int, str] = {}
        self._last = last_writers(net)
        self._first = first_readers(net)

    def theirs(self, index: int, top: str) -> Recorded | None:
        """Returns the other side's top of a layer, or None; for an input, its values if they differ from ours."""
        if self.net.steps[index].layer.is_input and not np.array_equal(self.inputs[top], self.other.inputs.get(top, 0)):
            return self.other.inputs.get(top)
        return self.other.top(self.net.steps[index].layer.name, top, self._last[top] == index)

    def their_gradient(self, index: int, bottom: str) -> Array | None:
        """Returns the other side's gradient of a layer's bottom, or None if unknown."""
        return self.other.bottom_gradient(self.net.steps[index].layer.name, bottom, self._first[bottom] == index)

    def forward(self) -> Iterator[tuple[int, Step]]:
        """Runs forward and yields (index, step) per layer; `failed` collects layers that cannot run."""
        fill_inputs(self.net, self.inputs)  # in each pass, since in-place layers may overwrite inputs
        what = "comparing each layer alone" if self.follows else "comparing the whole run"
        for index, step in enumerate(follow(self.net.steps, what, "layers")):
            if not (self.follows and is_source(step)):
                self._run(index)
            yield index, step
            # Otherwise another choice between nearly equal values would change all later layers.
            if self.follows or is_source(step) or is_random(step) or jumps(step, len(step.tops) - 1):
                self._take_tops(index, step)
            if not self.keeps_graph:
                step.inputs, step.outputs = [], []

    def _run(self, index: int) -> None:
        try:
            self.net.forward_range(index, index)
        except (CaffeError, RuntimeError) as error:  # torch's own errors are RuntimeErrors
            if not self.follows:
                raise
            self.failed[index] = str(error)

    def _take_tops(self, index: int, step: Step) -> None:
        for top in step.tops:
            values = self.theirs(index, top)
            if isinstance(values, np.ndarray):
                put(self.net, top, values)

    def backward(self) -> Iterator[tuple[int, Step]]:
        """Runs backward from the last layer and yields (index, step) per layer; `forward` must have run before."""
        self.net.clear_parameter_gradients()
        for blob, values in self.other.seeds.items():
            if blob in self.net.blobs:
                self.net.blobs[blob].gradient.assign(torch.tensor(values, device=self.net.device))
        for index, step in reversed(list(enumerate(self.net.steps))):
            if not step.needs_backward or index in self.failed:
                continue
            self.net.backward_range(index, index)
            yield index, step
            if self.follows:
                self._take_gradients(index, step)

    def _take_gradients(self, index: int, step: Step) -> None:
        for bottom in step.bottoms:
            values = self.their_gradient(index, bottom)
            if values is not None:
                self.net.blobs[bottom].gradient.assign(torch.tensor(values, device=self.net.device))
