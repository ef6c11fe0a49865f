"""One training from its start, or from a snapshot, to its exit status, as the command `train` runs it per process."""

import ctypes
import logging
import os
import platform
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass

from torch import distributed as processes

from caffe_compat.net.settings import Surroundings
from caffe_compat.proto import caffe_pb2
from caffe_compat.solvers.actions import ACTIONS, STOPPED_EARLY, actions_of_signals, end_with_parent
from caffe_compat.solvers.cached_features import cached_features
from caffe_compat.solvers.prefix import locked_prefix, newest_whole_snapshot
from caffe_compat.solvers.snapshot import check_snapshot_prefix
from caffe_compat.solvers.solver import Callback, Solver
from caffe_compat.solvers.workers import DEFAULT_PATIENCE, heartbeat
from caffe_compat.terminal.progress import Progress

logger = logging.getLogger("caffe_compat")

#: In place of a .solverstate: the newest whole one of the prefix, or none.
AUTO = "auto"

#: Whoever sets one of these has chosen.
MEMORY_CHOICES = {"MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_", "GLIBC_TUNABLES", "LD_PRELOAD"}
#: Parameters of glibc's mallopt (malloc.h), and their values: free memory at the heap's end is never given back, and
#: blobs of up to 32 MiB (the largest value that there is) lie in the heap.
TRIM_THRESHOLD, NEVER = -1, -1
MMAP_THRESHOLD, LARGEST = -3, 32 * 2**20


@dataclass(frozen=True)
class Wishes:
    """What a user asks of a training beyond its solver.

    `snapshot` is a .solverstate, "auto" or "". An empty `sigint_effect` means stop, with the exit status
    STOPPED_EARLY; Caffe's own word `stop` keeps Caffe's exit status, 0. `patience` is in seconds.
    """

    engine: str = "fast"
    snapshot: str = ""
    on_nan: str = "stop"
    keep: int = 0
    sigint_effect: str = ""
    sighup_effect: str = "snapshot"
    patience: float = DEFAULT_PATIENCE
    check_data: bool = False
    cache_features: bool = False


#: What goes around a training, from before its first iteration to after its last.
Watch = Callable[[Solver], AbstractContextManager[None]]


def _unwatched(solver: Solver) -> AbstractContextManager[None]:
    return nullcontext()


def run_training(
    parameter: caffe_pb2.SolverParameter, surroundings: Surroundings, wishes: Wishes, watch: Watch = _unwatched
) -> int:
    """Trains; returns 0, or STOPPED_EARLY where a signal stopped it after a snapshot.

    CaffeError where it cannot be trained. With several processes, all call this function, and must be connected.
    """
    end_with_parent()
    keep_freed_memory()
    sigint, sighup = ACTIONS[wishes.sigint_effect or "stop"], ACTIONS[wishes.sighup_effect]
    lock = _lock(parameter) if surroundings.rank == 0 else nullcontext()
    with actions_of_signals(sigint, sighup) as requested, lock, heartbeat(wishes.patience):
        state = _state_to_resume(parameter, wishes)
        if state:
            parameter.ClearField("weights")
        solver = Solver(parameter, wishes.engine, surroundings, wishes.on_nan, wishes.keep)
        solver.requested_action = requested
        if wishes.check_data and surroundings.rank == 0:
            _check_data(solver)
        if state:
            logger.info("Resuming from %s", state)
            solver.restore(state)
        logger.info("Starting Optimization")
        features = cached_features(solver) if wishes.cache_features else nullcontext()
        with features, progress_bar(solver), watch(solver):
            solver.solve()
        solver.close()
    return STOPPED_EARLY if solver.is_stopped and not wishes.sigint_effect else 0


def keep_freed_memory() -> bool:
    """Makes the process keep memory that it frees; returns whether the C library can.

    Otherwise some memory goes back to the system after each iteration, which clears it before it lends it again.
    """
    if sys.platform != "linux" or platform.libc_ver()[0] != "glibc" or MEMORY_CHOICES & os.environ.keys():
        return False
    mallopt = ctypes.CDLL(None).mallopt
    return all([mallopt(TRIM_THRESHOLD, NEVER), mallopt(MMAP_THRESHOLD, LARGEST)])


def _check_data(solver: Solver) -> None:
    """Reads all data of all nets once, before the first iteration."""
    for net in (solver.net, *solver.test_nets):
        for step in net.steps:
            check = getattr(step.layer, "check_data", None)
            if check is not None:
                logger.info("Checking the data of layer %s", step.layer.name)
                check()


@contextmanager
def _lock(parameter: caffe_pb2.SolverParameter) -> Iterator[None]:
    """The lock of the prefix, for a training that writes snapshots."""
    if not (parameter.snapshot or parameter.snapshot_after_train):
        yield
        return
    check_snapshot_prefix(parameter)
    with locked_prefix(parameter.snapshot_prefix):
        yield


def _state_to_resume(parameter: caffe_pb2.SolverParameter, wishes: Wishes) -> str:
    """The .solverstate to go on from, "" for none; the first process looks for the newest, and all take that one."""
    if wishes.snapshot != AUTO:
        return wishes.snapshot
    found: list[str | None] = [None]
    if not processes.is_initialized() or processes.get_rank() == 0:
        found[0] = newest_whole_snapshot(parameter.snapshot_prefix)
    if processes.is_initialized():
        processes.broadcast_object_list(found, src=0)
    if not found[0]:
        logger.info("--snapshot=auto: no snapshot of %s yet", parameter.snapshot_prefix)
    return found[0] or ""


@contextmanager
def progress_bar(solver: Solver) -> Iterator[None]:
    """While the block runs, a bar shows how many of max_iter iterations are done; log lines stand above the bar."""
    total, name = solver.parameter.max_iter, solver.net.name
    if not (solver.is_root and sys.stderr.isatty()):  # the log's own lines tell how far the training is
        yield
        return
    with Progress(name, total, "iterations", done=solver.iteration) as bar:
        callback = Callback(on_start=lambda: None, on_gradients_ready=bar.advance)
        solver.callbacks.append(callback)
        try:
            yield
        finally:
            solver.callbacks.remove(callback)
