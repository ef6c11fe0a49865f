"""Freed memory stays in the process, unless the environment has chosen."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from caffe_compat.solvers import freed_memory
from caffe_compat.solvers.freed_memory import keep_freed_memory

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
CALL = "from caffe_compat.solvers.freed_memory import keep_freed_memory; assert keep_freed_memory()"


def held(call: str) -> int:
    environment = {name: value for name, value in os.environ.items() if name not in freed_memory.CHOICES}
    environment["PYTHONPATH"] = str(Path(__file__).parents[2])
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(call=call)], env=environment, capture_output=True, text=True, check=True
    )
    return int(done.stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="glibc")
def test_freed_memory_stays() -> None:
    assert held(CALL) > held("import caffe_compat.solvers.freed_memory") + 200


@pytest.mark.parametrize("name", sorted(freed_memory.CHOICES))
def test_the_environments_choice_stays(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "1")
    monkeypatch.setattr("ctypes.CDLL", lambda _: pytest.fail("asked the C library"))
    assert not keep_freed_memory()


def test_another_c_library_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in freed_memory.CHOICES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("platform.libc_ver", lambda: ("musl", "1.2"))
    monkeypatch.setattr("ctypes.CDLL", lambda _: pytest.fail("asked the C library"))
    assert not keep_freed_memory()
