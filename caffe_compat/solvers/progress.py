"""A progress bar, where stderr is a terminal."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from tqdm import tqdm

from caffe_compat.solvers.solver import Callback, Solver


@contextmanager
def progress_bar(solver: Solver) -> Iterator[None]:
    """While the block runs, a bar shows how many of max_iter iterations are done; log lines stand above the bar."""
    total, name = solver.parameter.max_iter, solver.net.name
    off = None if solver.is_root else True  # None: off where stderr is no terminal
    with tqdm(total=total, initial=solver.iteration, desc=name, unit="it", file=sys.stderr, disable=off) as bar:
        callback = Callback(on_start=lambda: None, on_gradients_ready=bar.update)
        solver.callbacks.append(callback)
        try:
            yield
        finally:
            solver.callbacks.remove(callback)
