"""Watches a solver: measures its tests, and tells what happens, and on which machine, to files and terminals."""

import logging
import os
import platform
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from typing import Protocol

import torch

from caffe_compat.errors import CaffeError
from caffe_compat.layers.data.base_data import PrefetchingData
from caffe_compat.net.net import Net
from caffe_compat.solvers.display import Display, Observer, ResultOfTest
from caffe_compat.solvers.solver import Solver
from caffe_compat.srn.watching.attention_watch import AttentionWatch
from caffe_compat.srn.watching.events import End, Event, NetTested, Shown, Start
from caffe_compat.srn.watching.metrics_of_test import Metrics, MetricsOfTest, log_metrics

logger = logging.getLogger("caffe_compat")


PACKAGES = ("torch", "numpy", "opencv-python", "protobuf")


def describe_environment(device: torch.device) -> dict[str, str]:
    """What may change a run's speed or results: device, cores, system and versions."""
    return {
        "device": _device(device),
        "processor": f"{platform.machine()}, {os.cpu_count()} cores, {torch.get_num_threads()} threads",
        "system": platform.platform(),
        "Python": platform.python_version(),
        **{package: _version(package) for package in PACKAGES},
        "command": " ".join([os.path.basename(sys.argv[0]), *sys.argv[1:]]),
    }


def _device(device: torch.device) -> str:
    if device.type != "cuda":
        return "CPU"
    memory = torch.cuda.get_device_properties(device).total_memory / 2**30
    return f"{torch.cuda.get_device_name(device)}, {memory:.0f} GiB"


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:  # another build of the same library, such as opencv-python-headless
        return "another build"


class Sink(Protocol):
    """Where events go."""

    def write(self, event: Event) -> None:
        """Take one event."""

    def close(self) -> None:
        """Take no more."""


class Watcher(Observer):
    """Turns what a solver does into events, with the metrics of multi-label tests, and writes their log lines."""

    def __init__(
        self,
        solver: Solver,
        sinks: Sequence[Sink],
        class_names: Sequence[str] = (),
        attention: AttentionWatch | None = None,
    ) -> None:
        self._solver = solver
        self._attention = attention
        self._sinks = sinks
        self._refused: set[int] = set()  # ids of the sinks whose last event could not be written
        self._class_names = list(class_names)
        self._tests = [MetricsOfTest(net) for net in solver.test_nets]
        self._test_started = 0.0
        self._tested_for = 0.0  # seconds since the last display, which are no training
        self._waited = waiting_seconds(solver.net)
        for index, (engine, test) in enumerate(zip(solver.test_engines, self._tests, strict=True)):
            engine.keep([*test.blobs, *(attention.blobs if attention and index == 0 else ())])

    def tell(self, event: Event) -> None:
        """Give an event to every sink; one that cannot be written is no reason to lose a training."""
        for sink in self._sinks:
            self._try(sink, partial(sink.write, event))

    def _try(self, sink: Sink, work: Callable[[], object]) -> None:
        """Does the work of a sink; of several failures in a row, the log has the first."""
        try:
            work()
            self._refused.discard(id(sink))
        except (OSError, CaffeError) as error:
            if id(sink) not in self._refused:
                self._refused.add(id(sink))
                logger.warning("Watching: %s. Training goes on", error)

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
            self._try(sink, sink.close)

    def on_display(self, display: Display) -> None:
        """Tell the display with the speed of training, and the share of the time that it waited for data.

        Tests since the last display do not count; Caffe's own `iter/s` has them in it.
        """
        waited = waiting_seconds(self._solver.net)
        waiting, self._waited = waited - self._waited, waited
        seconds, self._tested_for = display.seconds - self._tested_for, 0.0
        images = display.iterations * images_per_iteration(self._solver)
        trained = display.iterations > 0 and seconds > 0
        self.tell(
            Shown(
                time.time(),
                display.iteration,
                display.loss,
                display.learning_rate,
                images / seconds if trained else None,
                min(1.0, waiting / seconds) if trained else None,
                display.outputs,
            )
        )

    def on_test_start(self, index: int) -> None:
        """Forget the batches of a test that was interrupted."""
        self._test_started = time.perf_counter()
        self._tests[index].restart()

    def on_test_batch(self, index: int, net: Net) -> None:
        """Collect the batch."""
        self._tests[index].add_batch()
        if self._attention and index == 0:
            self._attention.add_batch()

    def on_test(self, result: ResultOfTest) -> None:
        """Measure the test, log its metrics and tell it."""
        test = self._tests[result.index]
        metrics = test.finish() if test.losses else Metrics({}, {})
        log_metrics(metrics)
        if self._attention and result.index == 0:
            self._draw(self._attention, result.iteration)
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
        self._tested_for += time.perf_counter() - self._test_started

    def _draw(self, attention: AttentionWatch, iteration: int) -> None:
        try:
            attention.draw(iteration)
        except OSError as error:
            logger.warning("Watching: %s. Training goes on", error)


@contextmanager
def watching(
    solver: Solver,
    sinks: Sequence[Sink],
    class_names: Sequence[str] = (),
    attention: AttentionWatch | None = None,
) -> Iterator[None]:
    """While the block runs, the solver's first process tells the sinks what happens.

    The sinks are closed at the end. Nothing of this changes what is trained.
    """
    if not solver.is_root:
        yield
        return
    watcher = Watcher(solver, sinks, class_names, attention)
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


def images_per_iteration(solver: Solver) -> int:
    """How many items one update sees: batch size, iter_size and processes together."""
    batch = next((blob.shape[0] for blob in solver.net.blobs.values() if blob.shape), 1)
    return int(batch * solver.parameter.iter_size * solver.workers.size)


def waiting_seconds(net: Net) -> float:
    """How long the net's layers have waited for records that were not read ahead yet."""
    layers = (step.layer for step in net.steps)
    return sum(layer.prefetcher.seconds_waited for layer in layers if isinstance(layer, PrefetchingData))
