"""Records runs of our own nets with another engine or precision, as the other side of a comparison."""

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import torch

from caffe_compat.engine.fast import FastEngine
from caffe_compat.graph.wiring import Step
from caffe_compat.net.blob import gradient_of as weight_gradient_of
from caffe_compat.net.build import build_net
from caffe_compat.net.net import Net
from caffe_compat.net.settings import Surroundings
from caffe_compat.parity.batch_statistics import statistics_of
from caffe_compat.parity.recording import Array, Recorded, Recording
from caffe_compat.parity.replay import array_of, fill_inputs, gradient_of, value_of


@dataclass(frozen=True)
class Precision:
    """A precision: the dtype of weights and blobs, and the dtype of products."""

    kept: torch.dtype
    autocast: torch.dtype | None = None
    is_on_cpu: bool = True

    def surroundings(self, device: str) -> AbstractContextManager[object]:
        """Returns a context in which layers compute in this precision."""
        return nullcontext() if self.autocast is None else torch.autocast(device, self.autocast)


PRECISIONS = {
    "exact": Precision(torch.float32),
    "float64": Precision(torch.float64),
    "bf16": Precision(torch.float32, autocast=torch.bfloat16, is_on_cpu=False),
}
FAST = {"fast": torch.float32, "fast-bf16": torch.bfloat16}


def twin(net: Net, device: torch.device | None = None) -> Net:
    """Returns a second net with the same layers and weights; random layers continue from the current RNG state."""
    python_layers = any(step.layer.spec.allow_python_layers for step in net.steps)
    surroundings = Surroundings(device=device or net.device, allow_python_layers=python_layers)
    copy = build_net(net.parameter, net.parameter.state, surroundings)
    copy.load_state_dict(net.state_dict())
    return copy


def record_layers(
    net: Net, inputs: Mapping[str, Array], precision: str = "exact", seeds: Mapping[str, Array] | None = None
) -> Recording:
    """Runs a copy of the net layer by layer in a precision and records all blobs; exact and float64 run on the CPU.

    With `seeds`, the gradients of outputs (empty if the net has losses), also runs backward.
    """
    kind = PRECISIONS[precision]
    copy = twin(net, torch.device("cpu") if kind.is_on_cpu else net.device).to(kind.kept)
    fill_inputs(copy, inputs)
    recording = Recording(f"ours, {precision}, layer by layer", inputs=dict(inputs))
    with kind.surroundings(copy.device.type):
        _record_forward(copy, recording, kind)
        if seeds is not None:
            recording.seeds = dict(seeds)
            _record_backward(copy, recording)
    copy.close()
    return recording


def _record_forward(net: Net, recording: Recording, precision: Precision) -> None:
    for index, step in enumerate(net.steps):
        net.forward_range(index, index)
        for top in step.tops:
            net.blobs[top].value.assign(net.blobs[top].value.tensor().to(precision.kept))
            recording.tops[f"{step.layer.name}/{top}"] = value_of(net, top).copy()
    recording.weights_after = {key: array_of(blob).copy() for key, blob in statistics_of(net.steps)}


def _record_backward(net: Net, recording: Recording) -> None:
    for blob, values in recording.seeds.items():
        net.blobs[blob].gradient.assign(torch.tensor(values, device=net.device, dtype=_kept(net)))
    for index, step in reversed(list(enumerate(net.steps))):
        if not step.needs_backward:
            continue
        net.backward_range(index, index)
        for bottom, wanted in zip(step.bottoms, step.propagate_down, strict=True):
            if wanted:
                recording.bottom_gradients[f"{step.layer.name}/{bottom}"] = gradient_of(net, bottom).copy()
    for step in net.steps:
        recording.weight_gradients |= _weight_gradients(step)


def _kept(net: Net) -> torch.dtype:
    return next((parameter.dtype for parameter in net.parameters()), torch.float32)


def _weight_gradients(step: Step) -> dict[str, Array]:
    return {
        f"{step.layer.name}/{number}": array_of(weight_gradient_of(blob)).copy()
        for number, (blob, wanted) in enumerate(zip(step.layer.blobs, step.weights_need, strict=True))
        if wanted
    }


def record_fast(
    net: Net, inputs: Mapping[str, Array], engine: str = "fast", seeds: Mapping[str, Array] | None = None
) -> Recording:
    """Runs the fast engine twice and records both runs.

    The first run shows every blob that the engine can show. The second computes only the outputs, so that all passes
    apply; with `seeds` it also runs backward from the losses. Layers folded into others are not recorded.
    """
    recording = Recording(f"ours, {engine} engine", inputs=dict(inputs))
    recording.notes.append(
        "the fast engine ran once for every blob, and once for the outputs alone with all passes over the graph; "
        "a layer that is folded into another is compared with it"
    )
    with torch.random.fork_rng([net.device] if net.device.type == "cuda" else []):  # so that both runs drop the same
        recording.blobs = _run_fast(net, inputs, engine, list(net.blobs))
    copy = twin(net)
    fill_inputs(copy, inputs)
    runner = FastEngine(copy, precision=FAST[engine])
    runner.forward() if seeds is None else runner.forward_backward()
    recording.blobs |= {name: value_of(copy, name).copy() for name in net.outputs}
    if seeds is not None:
        recording.notes.append("the fast engine has gradients of weights only, and only from losses")
        for step in copy.steps:
            recording.weight_gradients |= _weight_gradients(step)
    copy.close()
    return recording


def _run_fast(net: Net, inputs: Mapping[str, Array], engine: str, requested: list[str]) -> dict[str, Recorded]:
    copy = twin(net)
    fill_inputs(copy, inputs)
    FastEngine(copy, requested, FAST[engine]).forward()
    found: dict[str, Recorded] = {name: value_of(copy, name).copy() for name in requested}
    copy.close()
    return found
