"""Refuses the Nth write, flush or rename, for every N, as a full or broken disk does: good files must stay whole.

    python -m tests.reliability.attack_disk

It is how SQLite tests itself: the failure moves on by one until everything succeeds. Snapshots of both formats, and
converted weights. The last line is `N failures injected: every older file whole, every message one line`.
"""

import builtins
import errno
import io
import logging
import os
import resource
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from caffe_compat.convert.formats.read import read_model
from caffe_compat.convert.formats.safetensors_file import write_safetensors
from caffe_compat.convert.formats.state_dict import write_state_dict
from caffe_compat.errors import CaffeError
from caffe_compat.proto import caffe_pb2
from caffe_compat.proto.read import read_solver
from caffe_compat.solvers.prefix import newest_whole_snapshot
from caffe_compat.solvers.solver import Solver
from tests.reliability.inputs import make_inputs

ERRORS = (errno.ENOSPC, errno.EIO, errno.EROFS, errno.EDQUOT)


class _Failing(io.FileIO):
    """A file whose writes count."""

    count: Callable[[], None]

    def write(self, content: Any) -> int:
        type(self).count()
        return super().write(content)


@contextmanager
def failing_at(number: int) -> Iterator[Callable[[], bool]]:
    """While the block runs, the Nth call that changes the disk fails; yields whether one has failed."""
    left = number

    def count() -> None:
        nonlocal left
        left -= 1
        if left == 0:
            error = ERRORS[number % len(ERRORS)]
            raise OSError(error, os.strerror(error))

    class Failing(_Failing):
        pass

    Failing.count = staticmethod(count)
    real_open, real = builtins.open, {name: getattr(os, name) for name in ("replace", "rename", "fsync", "mkdir")}

    def open_failing(file: Any, mode: str = "r", buffering: int = -1, *text: Any, **keywords: Any) -> Any:
        if not {*mode} & {*"wxa+"} or isinstance(file, int) or not _is_here(file):
            return real_open(file, mode, buffering, *text, **keywords)
        count()
        raw = Failing(file, mode.replace("b", "").replace("t", ""))
        if buffering == 0:
            return raw
        buffered = io.BufferedRandom(raw) if "+" in mode else io.BufferedWriter(raw)
        return buffered if "b" in mode else io.TextIOWrapper(buffered, *text, **keywords)

    def counted(name: str) -> Callable[..., Any]:
        def call(*arguments: Any, **keywords: Any) -> Any:
            count()
            return real[name](*arguments, **keywords)

        return call

    builtins.open = io.open = open_failing
    for name in real:
        setattr(os, name, counted(name))
    try:
        yield lambda: left <= 0
    finally:
        builtins.open = io.open = real_open
        for name, function in real.items():
            setattr(os, name, function)


def _is_here(file: Any) -> bool:
    """Whether a path lies in the current folder: the disk fails for outputs, not for what tests themselves need."""
    return Path(file).absolute().is_relative_to(Path.cwd())


def require_one_line(words: str) -> None:
    """AssertionError for a message that is no short line."""
    assert "\n" not in words, words
    assert len(words) < 500, words


def attack_sizes(form: str, step: int = 4096) -> int:
    """The system itself refuses files above a size, as a disk quota does, which HDF5's own writes meet as well."""
    failures, limit = 0, 0
    parameter = read_solver("list_solver.prototxt")
    parameter.snapshot_prefix = f"{form.lower()}_sized"
    parameter.snapshot_format = getattr(caffe_pb2.SolverParameter, form)
    solver = Solver(parameter, "exact")
    solver.snapshot()
    solver.step(1)
    while True:
        status = status_of_child(partial(_snapshot_within, solver, limit))
        assert status in (0, 3), status
        assert newest_whole_snapshot(parameter.snapshot_prefix) is not None
        if status == 0:
            solver.close()
            return failures
        failures, limit = failures + 1, limit + step


def _snapshot_within(solver: Solver, limit: int) -> int:
    """Writes a snapshot where files may have `limit` bytes; 3 where it was refused in one line."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    try:
        solver.snapshot()
    except CaffeError as error:
        words = str(error)
        require_one_line(words)
        return 3
    return 0


def status_of_child(work: Callable[[], int]) -> int:
    """Runs `work` in a child; returns its exit status, below 0 for a signal."""
    child = os.fork()
    if not child:
        try:
            os._exit(work())
        except BaseException as error:
            os.write(2, f"{type(error).__name__}: {error}\n".encode())
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def inject(work: Callable[[], object], check: Callable[[], object]) -> int:
    """Fails at every write of `work` in turn; `check` asserts what must hold afterwards. Returns how many failed."""
    number = 1
    while True:
        with failing_at(number) as has_failed:
            try:
                work()
            except (CaffeError, OSError) as error:
                words = str(error)
                require_one_line(words)
        if not has_failed():
            return number - 1
        assert not list(Path().glob(".*.part")), "an unfinished file was left"
        check()
        number += 1


def attack_snapshots(form: str) -> int:
    """Snapshots of iteration 2 over older ones; that of iteration 1 must always be there and whole."""
    parameter = read_solver("list_solver.prototxt")
    parameter.snapshot_prefix = form.lower()
    parameter.snapshot_format = getattr(caffe_pb2.SolverParameter, form)
    solver = Solver(parameter, "exact")
    for _ in range(2):
        solver.step(1)
        solver.snapshot()
    solver.schedule.iteration = 1

    def snapshot() -> None:
        solver.schedule.iteration = 1
        solver.step(1)  # other weights each time, under the same name
        solver.snapshot()

    def check() -> None:
        newest = newest_whole_snapshot(parameter.snapshot_prefix)
        assert newest is not None
        solver.restore(newest)

    failures = inject(snapshot, check)
    solver.close()
    return failures


def attack_conversion(write: Callable[[str, Any], None], path: str) -> int:
    """Weights written over older ones; the older ones must stay until the new ones are whole."""
    model = read_model("s_iter_2.caffemodel")
    write(path, model)
    return inject(lambda: write(path, model), lambda: read_model(path))


def attack() -> int:
    """All of them, in the current folder; returns the number of failures."""
    failures = sum(attack_snapshots(form) for form in ("BINARYPROTO", "HDF5"))
    failures += sum(attack_sizes(form) for form in ("BINARYPROTO", "HDF5"))
    failures += attack_conversion(write_safetensors, "m.safetensors")
    return failures + attack_conversion(write_state_dict, "m.pt")


def main() -> int:
    """Attacks in a new folder."""
    logging.getLogger("caffe_compat").setLevel(logging.CRITICAL + 1)
    folder = tempfile.mkdtemp(prefix="attack_")
    os.chdir(folder)
    make_inputs(Path(folder))
    print(f"{attack()} failures injected: every older file whole, every message one line")
    shutil.rmtree(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
