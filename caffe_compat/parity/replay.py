"""Runs our net layer by layer beside another side's recording, freely or on the other side's bottoms."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor

from caffe_compat.errors import CaffeError, ShapeError
from caffe_compat.graph.near_ties import jumps
from caffe_compat.graph.step import Step
from caffe_compat.graph.wiring import Wiring
from caffe_compat.layers.data.memory_data import MemoryData
from caffe_compat.net.net import Net
from caffe_compat.parity.random_layers import is_random, is_source
from caffe_compat.parity.recording import Array, Recorded, Recording
from caffe_compat.terminal.progress import follow


def is_inserted_split(step: Step) -> bool:
    """Whether the net was given this layer when it was built: it only hands a blob on."""
    return step.layer.spec.type == "Split" and step.layer.name.endswith("_split")


def fill_inputs(net: Net, inputs: Mapping[str, Array]) -> None:
    """Begins a run: puts arrays into the net's input blobs, which take their shapes, and into MemoryData layers.

    Recurrent layers forget what an earlier run left, so that every run starts as the other side's did.
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
    """Gives a blob the other side's values, with their shape."""
    net.blobs[blob].assign(torch.tensor(values, dtype=torch.float32, device=net.device))


def array_of(value: Tensor) -> Array:
    """A tensor on the host; bfloat16, which NumPy lacks, as float32."""
    value = value.detach().cpu()
    return (value.float() if value.dtype == torch.bfloat16 else value).numpy()


def value_of(net: Net, blob: str) -> Array:
    """A blob's values, without making it keep a host array."""
    return array_of(net.blobs[blob].value.tensor())


def gradient_of(net: Net, blob: str) -> Array:
    """A blob's gradient, without making it keep a host array."""
    return array_of(net.blobs[blob].gradient.tensor())


@contextmanager
def weights_kept(net: Net) -> Iterator[None]:
    """Puts weights, running statistics and the random state back afterwards."""
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
    """The last layer that writes each blob."""
    return {name: index for name, (index, _) in Wiring.of_steps(net.steps).last.items()}


def first_readers(net: Net) -> dict[str, int]:
    """The first layer that reads each blob: backward ends there for the blob."""
    return {bottom: index for index, step in reversed(list(enumerate(net.steps))) for bottom in step.bottoms}


class Replay:
    """One pass over the net. `forward` and `backward` yield each layer right after it ran; then, where `follows`, the
    other side's values take the place of ours, so that the next layer starts from them."""

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
        """The other side's top of a layer; of an input, where it was run on other values than ours."""
        if self.net.steps[index].layer.is_input and not np.array_equal(self.inputs[top], self.other.inputs.get(top, 0)):
            return self.other.inputs.get(top)
        return self.other.top(self.net.steps[index].layer.name, top, self._last[top] == index)

    def their_gradient(self, index: int, bottom: str) -> Array | None:
        """The other side's gradient of a layer's bottom."""
        return self.other.bottom_gradient(self.net.steps[index].layer.name, bottom, self._first[bottom] == index)

    def forward(self) -> Iterator[tuple[int, Step]]:
        """Layer by layer; what cannot run on the other side's bottoms is kept in `failed`."""
        fill_inputs(self.net, self.inputs)  # anew for each pass: in-place layers may have overwritten them
        what = "comparing each layer alone" if self.follows else "comparing the whole run"
        for index, step in enumerate(follow(self.net.steps, what, "layers")):
            if not (self.follows and is_source(step)):
                self._run(index)
            yield index, step
            # A choice between nearly equal values must not make all that follows differ.
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
        """Layer by layer from the end; needs a forward before it."""
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
