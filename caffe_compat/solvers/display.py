"""The figures of a training: lines as in Caffe's log, for programs that read such logs, and numbers for observers."""

import logging
import time
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from caffe_compat.net.net import Net
from caffe_compat.proto import caffe_pb2
from caffe_compat.solvers.workers import Workers

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
        """Called after the lines of a test are logged; not if the test is interrupted."""


def name_elements(names: Sequence[str], values: Sequence[float]) -> dict[str, float]:
    """Values by the name of their blob; the further elements of a blob are called `name[1]`, `name[2]` and so on."""
    named: dict[str, float] = {}
    seen: dict[str, int] = {}
    for name, value in zip(names, values, strict=True):
        place = seen[name] = seen.get(name, -1) + 1
        named[f"{name}[{place}]" if place else name] = value
    return named


class TrainingFigures:
    """The figures of a training net, as one process with the whole batch would show them."""

    def __init__(self, net: Net, parameter: caffe_pb2.SolverParameter, workers: Workers, skips_bad: bool) -> None:
        self._net = net
        self._parameter = parameter
        self._workers = workers
        self._skips_bad = skips_bad
        self.restart(0)

    def restart(self, iteration: int) -> None:
        """Forgets the losses, and starts to measure the speed at this iteration."""
        self.smoothed_loss = SmoothedLoss(self._parameter.average_loss, self._skips_bad)
        self._speed = Speed(iteration)

    def show(self, iteration: int, rate: float, observers: Iterable[Observer]) -> None:
        """Logs speed, loss and outputs, and hands them to the observers; `rate` is that of the coming update."""
        loss, *outputs = self._mean([self.smoothed_loss.value(), *output_values(self._net).tolist()])
        speed = self._speed.report(iteration, self._parameter.display)
        logger.info("Iteration %d %s, loss = %g", iteration, speed, loss)
        pace = self._speed.measure(iteration)
        self._speed.restart(iteration)
        log_outputs(self._net, "Train", outputs)
        display = Display(iteration, loss, name_elements(output_names(self._net), outputs), rate, *pace)
        for observer in observers:
            observer.on_display(display)

    def show_loss(self, iteration: int) -> None:
        """Logs the loss alone, as Caffe does after the last iteration."""
        (loss,) = self._mean([self.smoothed_loss.value()])
        logger.info("Iteration %d, loss = %g", iteration, loss)

    def _mean(self, figures: list[float]) -> list[float]:
        """The mean over the processes (SyncLoss and SyncOutput of the SRN fork); all of them take part."""
        of_all = self._workers.gather(figures)
        if any(len(theirs) != len(figures) for theirs in of_all):
            return figures  # outputs whose size depends on the data have no mean
        return [sum(column) / len(of_all) for column in zip(*of_all, strict=True)]
