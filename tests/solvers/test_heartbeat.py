"""Processes that train together end where one of them gives no sign."""

import os
import signal
import socket
import subprocess
import sys
import time

import pytest

from caffe_compat.solvers.heartbeat import heartbeat

PROGRAM = """
import sys, time
from torch import distributed
from caffe_compat.solvers.heartbeat import heartbeat
rank, port, seconds = map(int, sys.argv[1:])
distributed.init_process_group("gloo", init_method=f"tcp://127.0.0.1:{port}", rank=rank, world_size=2)
with heartbeat(4):
    print("ready", flush=True)
    time.sleep(seconds)
distributed.destroy_process_group()
"""


def start(seconds: int) -> list["subprocess.Popen[bytes]"]:
    """Two processes that are connected and then work for some seconds."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"}
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(rank), port, str(seconds * (1 + rank))],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
        )
        for rank in range(2)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
    return processes


def test_alone_there_is_no_heartbeat() -> None:
    with heartbeat(0.0):
        pass


@pytest.mark.slow
def test_the_others_end_where_one_is_stopped() -> None:
    first, second = start(60)
    second.send_signal(signal.SIGSTOP)
    began = time.monotonic()
    try:
        assert first.wait(30) == 1
        assert time.monotonic() - began < 20
        assert b"process 0: one of the 2 processes gave no sign for 4 s; resume from" in first.communicate()[1]
    finally:
        second.kill()
        second.communicate()


@pytest.mark.slow
def test_the_others_end_where_one_is_killed() -> None:
    first, second = start(60)
    second.kill()
    second.communicate()
    assert first.wait(30) == 1
    assert b"process 0: one of the 2 processes has ended; resume from the last snapshot" in first.communicate()[1]


@pytest.mark.slow
def test_processes_that_end_at_other_times_are_not_taken_for_lost() -> None:
    processes = start(3)
    for process in processes:
        process.communicate(timeout=60)
    assert [process.returncode for process in processes] == [0, 0]
