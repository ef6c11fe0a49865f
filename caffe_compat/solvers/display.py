"""The figures of a solver: lines of Caffe's log, for programs that read such logs, and numbers for observers."""

import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from caffe_compat.engine.create import Engine
from caffe_compat.net.net import Net

logger = logging.getLogger("caffe_compat")


class SmoothedLoss:
    """The mean of the last average_loss losses of one call of `step` (Solver::UpdateSmoothedLoss).

    Losses stay on their device until `value` is called, so that training does not wait for them. With `skips_bad`,
    NaN and infinite losses do not count.
    """

    def __init__(self, average_loss: int, skips_bad: bool = False) -> None:
        self._skips_bad = skips_bad
        self._losses: deque[Tensor] = deque(maxlen=average_loss)

    def add(self, loss: Tensor) -> None:
        """Add the loss of one iteration, shape ()."""
        self._losses.append(loss.detach())

    def value(self) -> float:
        """The mean of the losses; 0 before the first one."""
        if not self._losses:
            return 0.0
        losses = torch.stack(tuple(self._losses))
        if self._skips_bad:
            losses = losses[losses.isfinite()]
        return float(losses.mean()) if losses.numel() else 0.0


class Speed:
    """Iterations per second since the last display."""

    def __init__(self, iteration: int) -> None:
        self.restart(iteration)

    def restart(self, iteration: int) -> None:
        """Start counting at this iteration, now."""
        self._started = time.perf_counter()
        self._iteration = iteration

    def measure(self, iteration: int) -> tuple[int, float]:
        """Iterations and seconds since the last display."""
        return iteration - self._iteration, time.perf_counter() - self._started

    def report(self, iteration: int, display: int) -> str:
        """The speed in Caffe's words: `(12.5 iter/s, 8s/100 iters)`."""
        iterations, seconds = self.measure(iteration)
        rate = iterations / seconds if seconds else 0.0
        return f"({rate:g} iter/s, {seconds:g}s/{display} iters)"


def output_values(net: Net) -> Tensor:
    """The elements of all output blobs of a net in one tensor, shape (n,)."""
    values = [net.blobs[name].value.tensor().detach().float().flatten() for name in net.outputs]
    return torch.cat(values) if values else torch.zeros(0, device=net.device)


def output_names(net: Net) -> list[str]:
    """The name of the blob of each element of `output_values`."""
    return [name for name in net.outputs for _ in range(net.blobs[name].count)]


def log_outputs(net: Net, phase: str, values: Sequence[float]) -> None:
    """Log a line for each element: `    Train net output #0: loss = 0.7 (* 1 = 0.7 loss)`."""
    for index, (name, value) in enumerate(zip(output_names(net), values, strict=True)):
        logger.info("    %s net output #%d: %s", phase, index, describe_output(net, name, value))


def describe_output(net: Net, name: str, value: float) -> str:
    """An output with its share of the objective: `loss = 0.7 (* 1 = 0.7 loss)`."""
    weight = net.blob_loss_weights[name]
    share = f" (* {weight:g} = {weight * value:g} loss)" if weight else ""
    return f"{name} = {value:g}{share}"


@dataclass(frozen=True)
class Display:
    """The figures of one display."""

    iteration: int
    loss: float  # the mean of the last average_loss iterations
    outputs: dict[str, float]  # of the train net; the second element of a blob is called `name[1]`
    learning_rate: float
    iterations: int  # since the last display
    seconds: float  # since the last display


@dataclass(frozen=True)
class ResultOfTest:
    """The means over the batches of one test."""

    iteration: int
    index: int  # of the test net
    loss: float  # the weighted sum of the losses
    outputs: dict[str, float]


class Observer:
    """Watches a training; each method does nothing unless a subclass says otherwise."""

    def on_display(self, display: Display) -> None:
        """Called after the lines of a display are logged."""

    def on_test_start(self, index: int) -> None:
        """Called before the first batch of test net `index`."""

    def on_test_batch(self, index: int, net: Net) -> None:
        """Called after each batch of test net `index`, whose blobs hold the batch's values."""

    def on_test(self, result: ResultOfTest) -> None:
        """Called after the lines of a test are logged; not where a test is interrupted."""


def name_elements(names: Sequence[str], values: Sequence[float]) -> dict[str, float]:
    """Values by the name of their blob; the further elements of a blob are called `name[1]`, `name[2]` and so on."""
    named: dict[str, float] = {}
    seen: dict[str, int] = {}
    for name, value in zip(names, values, strict=True):
        place = seen[name] = seen.get(name, -1) + 1
        named[f"{name}[{place}]" if place else name] = value
    return named


@dataclass(frozen=True)
class Scores:
    """Means over the batches of a test."""

    loss: float  # the weighted sum of the losses
    outputs: list[float]  # the elements of all output blobs


def run_test(
    engine: Engine, batches: int, is_interrupted: Callable[[], bool], after_batch: Callable[[Net], object]
) -> Scores | None:
    """Run the net `batches` times and call `after_batch` with it each time.

    Returns None where `is_interrupted`, which is asked before every batch, says so, and where there is no batch.
    """
    loss, outputs = torch.zeros(()), torch.zeros(())
    with torch.no_grad():
        for _ in range(batches):
            if is_interrupted():
                logger.info("Test interrupted.")
                return None
            loss = loss + engine.forward()
            outputs = output_values(engine.net) + outputs.to(engine.net.device)
            after_batch(engine.net)
    return Scores(float(loss) / batches, (outputs / batches).tolist()) if batches else None
