"""A progress bar, where stderr is a terminal."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from caffe_compat.solvers.solver import Callback, Solver
from caffe_compat.terminal.progress import Progress


@contextmanager
def progress_bar(solver: Solver) -> Iterator[None]:
    """While the block runs, a bar shows how many of max_iter iterations are done; log lines stand above the bar."""
    total, name = solver.parameter.max_iter, solver.net.name
    shown = solver.is_root and sys.stderr.isatty()  # elsewhere the log's own lines tell how far the training is
    with Progress(name, total, "iterations", done=solver.iteration, shown=shown) as bar:
        callback = Callback(on_start=lambda: None, on_gradients_ready=bar.advance)
        solver.callbacks.append(callback)
        try:
            yield
        finally:
            solver.callbacks.remove(callback)
