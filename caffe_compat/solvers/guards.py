"""Checks while a net trains: labels of the first batch, and NaN or infinite numbers before they reach the weights."""

import logging
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from caffe_compat.errors import DataError, ShapeError, SolverError
from caffe_compat.graph.wiring import Step, Wiring
from caffe_compat.layers.base import Layer
from caffe_compat.layers.data.base_data import PrefetchingData
from caffe_compat.net.net import Net
from caffe_compat.solvers.display import output_values

logger = logging.getLogger("caffe_compat")

LOSS, LABEL = "SigmoidCrossEntropyLoss", 1  # and the position of its labels


def check_first_labels(net: Net) -> None:
    """Raise DataError if a batch has labels outside of 0 to 1 that go from a database into a SigmoidCrossEntropyLoss.

    A value that each of these losses ignores may occur. Other nets may compare with any numbers, such as those of an
    image.
    """
    wiring = Wiring.of_steps(net.steps)
    for number, step in enumerate(net.steps):
        if isinstance(step.layer, PrefetchingData):
            for position, labels in enumerate(step.layer.last_tops()):
                losses = list(_losses(net, wiring, (number, position)))
                if losses:
                    _check(net, step.layer, labels, losses)


def _losses(net: Net, wiring: Wiring, value: tuple[int, int]) -> Iterator[int]:
    """The losses that compare with a value; none if the value goes anywhere but into losses.

    A value that a layer with weights reads, such as an image that a net reconstructs, is no mere label.
    """
    found, waiting = [], [value]
    while waiting:
        current = waiting.pop()
        readers = wiring.uses[current]
        if not readers:
            return
        for reader in readers:
            layer = net.steps[reader].layer
            if layer.spec.type == LOSS:
                found += [reader] if wiring.sources[reader][LABEL] == current else []
            elif layer.is_loss or layer.blobs:
                return
            else:
                waiting.extend((reader, place) for place in range(len(net.steps[reader].tops)))
    yield from found


def _check(net: Net, layer: Layer, labels: Tensor, losses: list[int]) -> None:
    expected = (labels >= 0) & (labels <= 1)
    if any(step.layer.spec.type == "Threshold" for step in net.steps):  # masks -1 where no loss ignores a label
        expected |= labels == -1
    for loss in (net.steps[number].layer for number in losses):
        allowed = expected | _ignored(loss, labels)
        if not allowed.all():
            raise _wrong_label(layer, loss, labels, int((~allowed).flatten().nonzero()[0]))


def _ignored(loss: Layer, labels: Tensor) -> Tensor:
    """Which labels a loss leaves out; it rounds them towards zero first, as Caffe does."""
    ignored = getattr(loss, "ignore_label", None)
    return torch.zeros_like(labels, dtype=torch.bool) if ignored is None else labels.long() == ignored


def _wrong_label(layer: Layer, loss: Layer, labels: Tensor, place: int) -> DataError:
    image, label = divmod(place, max(1, labels[0].numel()))
    return DataError(
        f"{layer.spec}: expected labels from 0 to 1, with which {loss.spec} compares, found "
        f"{labels.flatten()[place]:g} as label {label} of record {image}; write the labels as 0 and 1, or unknown ones "
        "as -1 with loss_param { ignore_label: -1 } (generate --unknown-labels)"
    )


#: `stop` ends training, `skip` leaves out the update of the iteration, `ignore` trains on as Caffe does.
POLICIES = ("stop", "skip", "ignore")
#: So many skipped iterations in a row stop training: nothing more will be learnt.
MOST_SKIPPED = 100
CURE = (
    "Lower base_lr, set clip_gradients, or look at the data; --on-nan skip leaves such iterations out, "
    "--on-nan ignore trains on as Caffe does"
)


#: The place of a bad number that no pass shows again.
NOWHERE = "no layer when the pass was repeated layer by layer in float32; --engine exact runs every layer so"


class NumberGuard:
    """Watches the passes of one net.

    An iteration costs one reading of loss, outputs and gradients, and one wait for the device, which is the solver's
    look at the flag. What is bad, and in which layer, is looked for only where the flag is raised.
    """

    def __init__(self, net: Net, policy: str) -> None:
        if policy not in POLICIES:
            raise SolverError(f"--on-nan {policy}: expected one of: {', '.join(POLICIES)}")
        self._net = net
        self.policy = policy
        self.finding: str | None = None  # of this iteration, in this process
        self._starts: list[PassStart] = []  # of this iteration's passes
        self._figures: list[Tensor] = []  # per pass a number that is bad if loss or outputs are; on the device
        self._statistics = self._copies_of_statistics()
        self._skipped_in_a_row = 0

    @property
    def is_watching(self) -> bool:
        """Whether anything is checked."""
        return self.policy != "ignore"

    def start_iteration(self) -> None:
        """Remembers what a skipped iteration must leave as it was."""
        self._skipped_in_a_row = 0 if self.finding is None else self._skipped_in_a_row
        self.finding = None
        self._starts, self._figures = [], []
        self._statistics = self._copies_of_statistics()

    def start_pass(self) -> None:
        """Remembers what the coming pass starts from, so that it can be repeated."""
        if self.is_watching:
            self._starts.append(PassStart.of(self._net))

    def end_pass(self, loss: Tensor) -> None:
        """Notes the loss and the outputs of a pass, without a wait for the device."""
        if self.is_watching:
            self._figures.append(loss.detach().sum() + _magnitude(output_values(self._net)))

    def flag(self) -> Tensor:
        """Above 0 where loss, outputs or gradients of this process may be bad, else 0; shape (1,), on the net's device.

        Nothing waits for the device here. A gradient whose norm overflows raises the flag, too; `examine` knows better.
        """
        gradients = [gradient.detach() for gradient in self._net.learnable_gradients()]
        norms = torch._foreach_norm(gradients) if gradients else []  # a net may have nothing to learn
        return (~torch.stack([*self._figures, *norms]).isfinite()).sum().float().reshape(1)

    def examine(self, loss: Tensor) -> None:
        """After a raised flag: sets `finding` where a number of this process, or an averaged gradient, is bad.

        Leaves gradients as they are where all numbers are good, and the place in the data in any case.
        """
        bad = next((at for at, figure in enumerate(self._figures) if not math.isfinite(float(figure))), None)
        if bad is None and all(map(is_finite, self._net.learnable_gradients())):
            return
        suspects = self._starts if bad is None else [self._starts[bad]]
        here = PassStart.of(self._net)
        found = next(filter(None, (find_first_bad_number(self._net, start) for start in suspects)), NOWHERE)
        here.restore(self._net)
        self.finding = f"loss = {float(loss):g}. First in {found}"

    def skip(self, iteration: int, finding: str) -> None:
        """Leaves an iteration out: statistics go back to what they were. SolverError after too many in a row."""
        self._skipped_in_a_row += 1
        if self._skipped_in_a_row >= MOST_SKIPPED:
            raise SolverError(f"Iteration {iteration}: {finding}. {MOST_SKIPPED} iterations in a row were left out: "
                              f"nothing is learnt any more. {CURE}")  # fmt: skip
        logger.warning("Iteration %d is left out (--on-nan skip): %s", iteration, finding)
        with torch.no_grad():
            for blob, before in self._statistics:
                blob.copy_(before)

    def _copies_of_statistics(self) -> list[tuple[Tensor, Tensor]]:
        """Running statistics, which forward changes, beside copies of them; only `skip` needs them."""
        if self.policy != "skip":
            return []
        blobs = (step.layer.blobs[index] for step in self._net.steps for index in step.layer.fixed_blobs)
        return [(blob, blob.detach().clone()) for blob in blobs]


def _magnitude(values: Tensor) -> Tensor:
    return values.abs().max() if values.numel() else values.sum()


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


def find_first_bad_number(net: Net, start: PassStart) -> str | None:
    """Where a pass that began at `start` met its first NaN or infinite value: weights, then blobs, then gradients.

    None where the repeated pass meets none.

    The weights must still be those of the pass. Gradients of the weights are computed anew.
    """
    weight = describe_bad_weight(net, with_statistics=False)  # which the pass itself has changed
    if weight is not None:
        return weight
    start.restore(net)
    try:
        return next(_bad_blobs(net), None) or next(_bad_gradients(net), None)
    except (ShapeError, torch.OutOfMemoryError):
        return "the layer is not known: repeating the pass layer by layer needs more memory than there is"


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
