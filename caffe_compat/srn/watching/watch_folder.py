"""Everything that watches a training, put together: a folder with events, pictures and report, and the terminal."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from caffe_compat.errors import CaffeError
from caffe_compat.net.net import Net
from caffe_compat.solvers.solver import Solver
from caffe_compat.srn.datasets.layout import class_names_file
from caffe_compat.srn.metrics.prepared import read_class_names
from caffe_compat.srn.watching.attention_watch import AttentionWatch
from caffe_compat.srn.watching.event_file import EventFile
from caffe_compat.srn.watching.label_losses import data_sources, find_label_losses
from caffe_compat.srn.watching.run_report import EVENTS, RunReport
from caffe_compat.srn.watching.tensorboard import TensorBoard
from caffe_compat.srn.watching.terminal_line import TerminalLine
from caffe_compat.srn.watching.watcher import Sink, watching
from caffe_compat.terminal.progress import is_quiet


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
