"""A bar where stderr is a terminal, and memory that stays in the process."""

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from caffe_compat.solvers.run_training import MEMORY_CHOICES, keep_freed_memory, progress_bar
from caffe_compat.terminal import progress
from tests.solvers.least_squares import make_solver

#: Takes 256 blobs of 1 MiB, frees them, and prints how many MiB the process still holds.
PROGRAM = """
import ctypes
{call}
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_void_p]
blobs = [libc.malloc(2**20) for _ in range(256)]
for blob in blobs: ctypes.memset(blob, 1, 2**20)
for blob in reversed(blobs): libc.free(blob)
pages = int(open("/proc/self/statm").read().split()[1])
print(pages * 4096 // 2**20)
"""
CALL = "from caffe_compat.solvers.run_training import keep_freed_memory; assert keep_freed_memory()"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("stream", "shown"), [(Terminal(), True), (io.StringIO(), False)])
def test_a_bar_on_a_terminal_only(stream: io.StringIO, shown: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setattr(progress, "SECONDS_BEFORE_A_BAR", 0)
    solver = make_solver("base_lr: 0.01 max_iter: 4")
    with progress_bar(solver):
        solver.step(4)
    assert ("| 0/4 [" in stream.getvalue()) is shown
    assert solver.callbacks == []


def held(call: str) -> int:
    environment = {name: value for name, value in os.environ.items() if name not in MEMORY_CHOICES}
    environment["PYTHONPATH"] = str(Path(__file__).parents[2])
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(call=call)], env=environment, capture_output=True, text=True, check=True
    )
    return int(done.stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="glibc")
def test_freed_memory_stays() -> None:
    assert held(CALL) > held("import caffe_compat.solvers.run_training") + 200


@pytest.mark.parametrize("name", sorted(MEMORY_CHOICES))
def test_the_environments_choice_stays(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "1")
    monkeypatch.setattr("ctypes.CDLL", lambda _: pytest.fail("asked the C library"))
    assert not keep_freed_memory()


def test_another_c_library_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in MEMORY_CHOICES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("platform.libc_ver", lambda: ("musl", "1.2"))
    monkeypatch.setattr("ctypes.CDLL", lambda _: pytest.fail("asked the C library"))
    assert not keep_freed_memory()
