"""Watches a solver: measures its tests, checks its first labels, and tells what happens to files and terminals."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

from caffe_compat.layers.data.base_data import PrefetchingData
from caffe_compat.net.net import Net
from caffe_compat.solvers.observers import Display, Observer, ResultOfTest
from caffe_compat.solvers.solver import Callback, Solver
from caffe_compat.srn.watching.environment import describe_environment
from caffe_compat.srn.watching.events import End, Event, NetTested, Shown, Start
from caffe_compat.srn.watching.label_losses import check_labels, find_label_losses
from caffe_compat.srn.watching.metrics_of_test import Metrics, MetricsOfTest, log_metrics


class Sink(Protocol):
    """Where events go."""

    def write(self, event: Event) -> None:
        """Take one event."""

    def close(self) -> None:
        """Take no more."""


class Watcher(Observer):
    """Turns what a solver does into events, with the metrics of multi-label tests, and writes their log lines."""

    def __init__(self, solver: Solver, sinks: Sequence[Sink], class_names: Sequence[str] = ()) -> None:
        self._solver = solver
        self._sinks = sinks
        self._class_names = list(class_names)
        self._tests = [MetricsOfTest(net) for net in solver.test_nets]
        self._tested_at: dict[int, int] = {}
        self._waited = waiting_seconds(solver.net)
        for engine, test in zip(solver.test_engines, self._tests, strict=True):
            engine.keep(test.blobs)

    def tell(self, event: Event) -> None:
        """Give an event to every sink."""
        for sink in self._sinks:
            sink.write(event)

    def start(self) -> None:
        """Tell that training starts at the solver's iteration."""
        solver = self._solver
        self.tell(
            Start(
                time.time(),
                solver.iteration,
                solver.parameter.max_iter,
                solver.net.name,
                images_per_iteration(solver),
                describe_environment(solver.net.device),
                self._class_names,
            )
        )

    def end(self, reason: str) -> None:
        """Tell that training ends, and close the sinks."""
        self.tell(End(time.time(), self._solver.iteration, reason))
        for sink in self._sinks:
            sink.close()

    def on_display(self, display: Display) -> None:
        """Tell the display with its speed and how long it waited for data."""
        waited = waiting_seconds(self._solver.net)
        waiting, self._waited = waited - self._waited, waited
        images = display.iterations * images_per_iteration(self._solver)
        trained = display.iterations > 0 and display.seconds > 0
        self.tell(
            Shown(
                time.time(),
                display.iteration,
                display.loss,
                display.learning_rate,
                images / display.seconds if trained else None,
                min(1.0, waiting / display.seconds) if trained else None,
                display.outputs,
            )
        )

    def on_test_batch(self, index: int, net: Net) -> None:
        """Collect the batch; batches of an interrupted test before it are forgotten."""
        if self._tested_at.get(index) != self._solver.iteration:
            self._tests[index].restart()
            self._tested_at[index] = self._solver.iteration
        self._tests[index].add_batch()

    def on_test(self, result: ResultOfTest) -> None:
        """Measure the test, log its metrics and tell it."""
        test = self._tests[result.index]
        metrics = test.finish() if test.losses else Metrics({}, {})
        self._tested_at.pop(result.index, None)
        log_metrics(metrics)
        self.tell(
            NetTested(
                time.time(),
                result.iteration,
                result.index,
                result.loss,
                result.outputs,
                metrics.figures,
                metrics.ap,
            )
        )


@contextmanager
def watching(solver: Solver, sinks: Sequence[Sink], class_names: Sequence[str] = ()) -> Iterator[None]:
    """While the block runs, the solver's first process tells what happens, and labels are checked at the first batch.

    The sinks are closed at the end. Nothing of this changes what is trained.
    """
    with _first_labels_checked(solver):
        if not solver.is_root:
            yield
            return
        watcher = Watcher(solver, sinks, class_names)
        solver.observers.append(watcher)
        watcher.start()
        reason = "stopped"
        try:
            yield
            reason = "stopped" if solver.is_stopped else "done"
        except BaseException as error:
            reason = str(error) or type(error).__name__
            raise
        finally:
            solver.observers.remove(watcher)
            watcher.end(reason)


@contextmanager
def _first_labels_checked(solver: Solver) -> Iterator[None]:
    """Runs `check_labels` between the first gradients and their update."""
    labels = [blob for loss in find_label_losses(solver.net) for blob in (loss.scores, loss.labels)]
    solver.engine.keep(labels)
    callback = Callback(on_start=lambda: None, on_gradients_ready=_once(lambda: check_first_batch(solver)))
    solver.callbacks.append(callback)
    try:
        yield
    finally:
        solver.callbacks.remove(callback)


def check_first_batch(solver: Solver) -> None:
    """Check the labels of the train net's last batch; DataError if they are none. Nothing is kept any longer."""
    check_labels(solver.net)
    solver.engine.keep(())


def _once(action: Callable[[], object]) -> Callable[[], object]:
    left = [action]
    return lambda: left.pop()() if left else None


def images_per_iteration(solver: Solver) -> int:
    """How many items one update sees: batch size, iter_size and processes together."""
    batch = next((blob.shape[0] for blob in solver.net.blobs.values() if blob.shape), 1)
    return int(batch * solver.parameter.iter_size * solver.workers.size)


def waiting_seconds(net: Net) -> float:
    """How long the net's layers have waited for records that were not read ahead yet."""
    layers = (step.layer for step in net.steps)
    return sum(layer.prefetcher.seconds_waited for layer in layers if isinstance(layer, PrefetchingData))
