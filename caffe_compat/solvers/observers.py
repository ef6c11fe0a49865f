"""What a solver tells those who watch a training: its displays and its tests, as numbers instead of log lines."""

from collections.abc import Sequence
from dataclasses import dataclass

from caffe_compat.net.net import Net


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
