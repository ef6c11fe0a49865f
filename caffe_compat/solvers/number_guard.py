"""Stops or skips iterations whose loss, outputs or gradients are NaN or infinite, before they reach the weights."""

import logging
import math

import torch
from torch import Tensor

from caffe_compat.errors import SolverError
from caffe_compat.net.net import Net
from caffe_compat.solvers.display import output_values
from caffe_compat.solvers.first_bad_number import PassStart, find_first_bad_number, is_finite

logger = logging.getLogger("caffe_compat")

#: `stop` ends training, `skip` leaves out the update of the iteration, `ignore` trains on as Caffe does.
POLICIES = ("stop", "skip", "ignore")
#: So many skipped iterations in a row stop training: nothing more will be learnt.
MOST_SKIPPED = 100
CURE = (
    "Lower base_lr, set clip_gradients, or look at the data; --on-nan skip leaves such iterations out, "
    "--on-nan ignore trains on as Caffe does"
)


class NumberGuard:
    """Watches the passes of one net.

    An iteration costs one reading of loss, outputs and gradients, and one wait for the device. The layer is looked
    for only where a number is bad.
    """

    def __init__(self, net: Net, policy: str) -> None:
        if policy not in POLICIES:
            raise SolverError(f"--on-nan {policy}: expected one of: {', '.join(POLICIES)}")
        self._net = net
        self.policy = policy
        self.finding: str | None = None  # of this iteration, in this process
        self._start = PassStart.of(net)
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
        self._statistics = self._copies_of_statistics()

    def start_pass(self) -> None:
        """Remembers what the coming pass starts from, so that it can be repeated."""
        if self.is_watching:
            self._start = PassStart.of(self._net)

    def end_pass(self, loss: Tensor) -> None:
        """Checks loss and outputs of a pass, and looks for the layer where one of them is bad."""
        if not self.is_watching or self.finding is not None:
            return
        if not math.isfinite(float(loss.sum() + _magnitude(output_values(self._net)))):
            self._find(loss)

    def flag(self, loss: Tensor) -> Tensor:
        """1 where loss, outputs or gradients of this process are bad, else 0; shape (1,), on the net's device."""
        if self.finding is None and not are_finite(self._net.learnable_gradients()):
            self._find(loss)
        return torch.full((1,), float(self.finding is not None), device=self._net.device)

    def _find(self, loss: Tensor) -> None:
        self.finding = f"loss = {float(loss):g}. First in {find_first_bad_number(self._net, self._start)}"

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


def are_finite(tensors: list[Tensor]) -> bool:
    """Whether no tensor holds NaN or infinity. Norms are read first: one may overflow, but none hides a bad number."""
    if not tensors:
        return True
    norms = torch.stack(torch._foreach_norm([tensor.detach() for tensor in tensors]))
    return bool(norms.isfinite().all()) or all(map(is_finite, tensors))


def _magnitude(values: Tensor) -> Tensor:
    return values.abs().max() if values.numel() else values.sum()
