"""Looks for NaN and infinite numbers while a net trains, before they reach the weights."""

import logging
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from caffe_compat.errors import ShapeError, SolverError
from caffe_compat.graph.wiring import Step
from caffe_compat.layers.base import is_finite
from caffe_compat.net.net import Net
from caffe_compat.solvers.display import output_values
from caffe_compat.solvers.workers import Workers

logger = logging.getLogger("caffe_compat")

#: `stop` ends training, `skip` leaves out the update of the iteration, `ignore` trains on as Caffe does.
POLICIES = ("stop", "skip", "ignore")
#: This many skipped iterations in a row stop training, because the net does not learn any more.
MOST_SKIPPED = 100
CURE = (
    "Lower base_lr, set clip_gradients, or look at the data; --on-nan skip leaves such iterations out, "
    "--on-nan ignore trains on as Caffe does"
)


#: The place of a bad number that does not occur when the pass is repeated.
NOWHERE = "no layer when the pass was repeated layer by layer in float32; --engine exact runs every layer so"


class NumberGuard:
    """Watches the passes of one net.

    Each iteration reads loss, outputs and gradients once, and waits once for the device, when the solver reads the
    flag. Only if the flag is raised does a search begin for the bad number and its layer.
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

        Nothing waits for the device here. A gradient whose norm overflows raises the flag, too;
        `examine` then finds nothing bad.
        """
        gradients = [gradient.detach() for gradient in self._net.existing_gradients()]
        norms = torch._foreach_norm(gradients) if gradients else []  # a net may have nothing to learn
        return (~torch.stack([*self._figures, *norms]).isfinite()).sum().float().reshape(1)

    def examine(self, loss: Tensor) -> None:
        """Call after a raised flag: sets `finding` if a number of this process, or an averaged gradient, is bad.

        Does not change the place in the data, nor gradients if all numbers are good.
        """
        bad = next((at for at, figure in enumerate(self._figures) if not math.isfinite(float(figure))), None)
        if bad is None and all(map(is_finite, self._net.existing_gradients())):
            return
        suspects = self._starts if bad is None else [self._starts[bad]]
        here = PassStart.of(self._net)
        found = next(filter(None, (find_first_bad_number(self._net, start) for start in suspects)), NOWHERE)
        here.restore(self._net)
        self.finding = f"loss = {float(loss):g}. First in {found}"

    def average(self, gradients: list[Tensor], workers: Workers, loss: Tensor) -> bool:
        """Averages gradients over the processes; returns whether one of them has met a NaN or infinite number."""
        if not self.is_watching:
            workers.average(gradients)
            return False
        flag = self.flag()  # travels with the gradients, so that all processes decide alike
        workers.average([*gradients, flag])
        if not bool(flag):  # the one wait for the device
            return False
        self.examine(loss)
        return any(finding is not None for finding in workers.gather(self.finding))

    def first_finding(self, workers: Workers) -> tuple[str, str]:
        """Returns the first finding of all processes, one that names a layer if there is any, and whose it is."""
        findings = workers.gather(self.finding)
        known = [(rank, found) for rank, found in enumerate(findings) if found is not None]
        rank, finding = next((pair for pair in known if NOWHERE not in pair[1]), known[0])
        return finding, f" (process {rank})" if workers.size > 1 else ""

    def skip(self, iteration: int, finding: str) -> None:
        """Skips an iteration: restores the running statistics. SolverError after too many of them in a row."""
        self._skipped_in_a_row += 1
        if self._skipped_in_a_row >= MOST_SKIPPED:
            raise SolverError(f"Iteration {iteration}: {finding}. {MOST_SKIPPED} iterations in a row were left out: "
                              f"nothing is learnt any more. {CURE}")  # fmt: skip
        logger.warning("Iteration %d is left out (--on-nan skip): %s", iteration, finding)
        with torch.no_grad():
            for blob, before in self._statistics:
                blob.copy_(before)

    def _copies_of_statistics(self) -> list[tuple[Tensor, Tensor]]:
        """Returns the running statistics, which forward changes, with copies of them; only `skip` needs copies."""
        if self.policy != "skip":
            return []
        blobs = (step.layer.blobs[index] for step in self._net.steps for index in step.layer.fixed_blobs)
        return [(blob, blob.detach().clone()) for blob in blobs]


def _magnitude(values: Tensor) -> Tensor:
    return values.abs().max() if values.numel() else values.sum()


@dataclass(frozen=True)
class PassStart:
    """The state before a pass of a net: the states of its layers and of torch's random generators."""

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


def refuse_bad_weights(net: Net, file: str, policy: str) -> None:
    """Raises SolverError where weights from `file` are NaN or infinite; logs a warning if the policy is `ignore`."""
    bad = describe_bad_weight(net)
    if bad is None:
        return
    if policy != "ignore":
        raise SolverError(
            f"{file}: {bad}; resume from an older snapshot, or with --on-nan ignore to train on as Caffe does"
        )
    logger.warning("%s: %s", file, bad)


def find_first_bad_number(net: Net, start: PassStart) -> str | None:
    """Returns where a pass from `start` met its first NaN or infinite value, or None if a repeated pass has none.

    Looks at weights, then blobs, then gradients. The weights must not have changed since the pass. Computes the
    gradients of the weights again.
    """
    weight = describe_bad_weight(net, with_statistics=False)  # the pass itself has changed statistics
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


def _layer(step: Step) -> str:
    return f"layer '{step.layer.name}' ({step.layer.spec.parameter.type})"


def _count(values: Tensor) -> str:
    values = values.detach()
    nans, infinite = int(values.isnan().sum()), int(values.isinf().sum())
    return f"{nans} NaN and {infinite} infinite of {values.numel()} values"
