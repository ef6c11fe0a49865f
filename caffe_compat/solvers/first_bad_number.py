"""Finds where a NaN or infinite number appeared first: one pass of the net is repeated layer by layer."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from caffe_compat.graph.wiring import Step
from caffe_compat.net.net import Net


@dataclass(frozen=True)
class PassStart:
    """What a pass of a net starts from: the states of its layers and of torch's random generators."""

    layers: dict[str, dict[str, Any]]
    random: Tensor
    random_on_gpu: Tensor | None

    @classmethod
    def of(cls, net: Net) -> "PassStart":
        """The start of the net's next pass; a few numbers per data layer."""
        states = {step.layer.name: step.layer.state() for step in net.steps if not step.bottoms}
        on_gpu = torch.cuda.get_rng_state(net.device) if net.device.type == "cuda" else None
        return cls({name: state for name, state in states.items() if state}, torch.get_rng_state(), on_gpu)

    def restore(self, net: Net) -> None:
        """Brings the net back, so that its next pass reads the same data and draws the same numbers."""
        for step in net.steps:
            if step.layer.name in self.layers:
                step.layer.restore(self.layers[step.layer.name])
        torch.set_rng_state(self.random)
        if self.random_on_gpu is not None:
            torch.cuda.set_rng_state(self.random_on_gpu, net.device)


def describe_bad_weight(net: Net, with_statistics: bool = True) -> str | None:
    """The first weight blob that holds NaN or infinite values, as `weight blob 0 of layer 'conv1' (...)`, or None."""
    net.flush()
    for step in net.steps:
        for index, blob in enumerate(step.layer.blobs):
            if (with_statistics or index not in step.layer.fixed_blobs) and not is_finite(blob):
                return f"weight blob {index} of {_layer(step)}: {_count(blob)}"
    return None


def find_first_bad_number(net: Net, start: PassStart) -> str:
    """Where a pass that began at `start` met its first NaN or infinite value: weights, then blobs, then gradients.

    The weights must still be those of the pass. Gradients of the weights are computed anew.
    """
    weight = describe_bad_weight(net, with_statistics=False)  # which the pass itself has changed
    if weight is not None:
        return weight
    start.restore(net)
    try:
        found = next(_bad_blobs(net), None) or next(_bad_gradients(net), None)
    except torch.OutOfMemoryError:
        return "the layer is not known: repeating the pass layer by layer needs more memory than there is"
    return found or "no layer when the pass was repeated layer by layer in float32; --engine exact runs every layer so"


def _bad_blobs(net: Net) -> Iterator[str]:
    for index, step in enumerate(net.steps):
        net.run_range(index, index)
        for top in step.tops:
            value = net.blobs[top].value.tensor()
            if not is_finite(value):
                yield f"blob '{top}' of {_layer(step)}: {_count(value)}"


def _bad_gradients(net: Net) -> Iterator[str]:
    net.clear_parameter_gradients()
    for index, step in reversed(list(enumerate(net.steps))):
        if not step.needs_backward:
            continue
        net.backward_range(index, index)
        for bottom, wanted in zip(step.bottoms, step.propagate_down, strict=True):
            gradient = net.blobs[bottom].gradient.tensor()
            if wanted and not is_finite(gradient):
                yield f"gradient of blob '{bottom}' in {_layer(step)}: {_count(gradient)}"
        for number, blob in enumerate(step.layer.blobs):
            gradient = net.gradients.of(blob)
            if step.weights_need[number] and not is_finite(gradient):
                yield f"gradient of weight blob {number} of {_layer(step)}: {_count(gradient)}"


def is_finite(values: Tensor) -> bool:
    """Whether a tensor holds neither NaN nor infinity."""
    return bool(torch.isfinite(values.detach()).all())


def _layer(step: Step) -> str:
    return f"layer '{step.layer.name}' ({step.layer.spec.parameter.type})"


def _count(values: Tensor) -> str:
    values = values.detach()
    nans, infinite = int(values.isnan().sum()), int(values.isinf().sum())
    return f"{nans} NaN and {infinite} infinite of {values.numel()} values"
