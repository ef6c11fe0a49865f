"""Everything that watches a training, put together: a folder with events, pictures and report, and the terminal."""

import math
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

from tqdm import tqdm

from caffe_compat.errors import CaffeError
from caffe_compat.net.net import Net
from caffe_compat.solvers.solver import Solver
from caffe_compat.srn.datasets.layout import class_names_file
from caffe_compat.srn.metrics.prepared import read_class_names
from caffe_compat.srn.watching.attention_watch import AttentionWatch
from caffe_compat.srn.watching.event_file import EventFile
from caffe_compat.srn.watching.events import Event, NetTested, Shown, Start
from caffe_compat.srn.watching.label_losses import data_sources, find_label_losses
from caffe_compat.srn.watching.run_report import EVENTS, RunReport
from caffe_compat.srn.watching.tensorboard import TensorBoard
from caffe_compat.srn.watching.watcher import Sink, watching
from caffe_compat.terminal.progress import is_quiet

DIM, PLAIN = "\033[36m", "\033[0m"


class TerminalLine:
    """Prints a summary of each display above the progress bar."""

    def __init__(self) -> None:
        self._start: Start | None = None
        self._last_test: NetTested | None = None

    def write(self, event: Event) -> None:
        """Take an event; only displays print."""
        if isinstance(event, Start):
            self._start = event
        elif isinstance(event, NetTested) and event.net == 0:
            self._last_test = event
        elif isinstance(event, Shown) and self._start is not None:
            tqdm.write(f"{DIM}{summary_line(event, self._start, self._last_test)}{PLAIN}", file=sys.stderr)

    def close(self) -> None:
        """Nothing to do."""


def summary_line(shown: Shown, start: Start, test: NetTested | None) -> str:
    """The display in one line: iteration, loss, learning rate, speed, waiting, time left, and the last test."""
    parts = [f"iteration {shown.iteration}/{start.max_iter}", f"loss {shown.loss:.4g}", f"lr {shown.learning_rate:g}"]
    if shown.images_per_second:
        parts.append(f"{shown.images_per_second:.4g} images/s")
        left = (start.max_iter - shown.iteration) * start.images_per_iteration / shown.images_per_second
        parts.append(f"{timedelta(seconds=round(left))} left")
    if shown.waiting is not None:
        parts.append(f"waiting for data {shown.waiting:.0%}")
    if test is not None:
        known = [f"{name} {100 * value:.1f}" for name, value in test.metrics.items() if not math.isnan(value)]
        parts.append(", ".join([f"test at {test.iteration}: loss {test.loss:.4g}", *known]))
    return "  |  ".join(parts)


@contextmanager
def watched(solver: Solver, folder: Path | None, tensorboard: bool = False) -> Iterator[None]:
    """While the block runs, tests are measured, and `folder` gets metrics.jsonl, report.html and attention pictures.

    Without a folder, metrics go to the log alone. A terminal gets a line for each display. With `tensorboard` event
    files go into the folder as well; MissingFeatureError where that package is not installed.
    """
    nets = [solver.net, *solver.test_nets]
    names = next((found for found in map(class_names_of, nets) if found), [])
    sinks: list[Sink] = []
    attention = None
    if folder is not None and solver.is_root:
        sinks += [EventFile(folder / EVENTS), RunReport(folder)]
        sinks += [TensorBoard(folder / "tensorboard")] if tensorboard else []
        attention = AttentionWatch(solver.test_nets[0], folder, names) if solver.test_nets else None
    if sys.stderr.isatty() and solver.is_root and not is_quiet():
        sinks.append(TerminalLine())
    with watching(solver, sinks, names, attention):
        yield


def class_names_of(net: Net) -> list[str]:
    """The label names of the prepared folder that a net reads its labels from; none where there is no such folder."""
    losses = find_label_losses(net)
    if not losses:
        return []
    classes = net.blobs[losses[0].scores].shape[1]
    sources = (Path(source) for step in net.steps for source in data_sources(step.layer.spec.parameter))
    for folder in dict.fromkeys(source.parent for source in sources):
        names = _names_of(class_names_file(folder))
        if len(names) == classes:
            return names
    return []


def _names_of(path: Path) -> list[str]:
    """Names are a convenience: a file that cannot be read is no reason to stop a training."""
    try:
        return read_class_names(path)
    except CaffeError:
        return []
