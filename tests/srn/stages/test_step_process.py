import os
import signal
import subprocess
import sys
from pathlib import Path
from unittest.mock import PropertyMock

import pytest

from caffe_compat.proto import caffe_pb2
from caffe_compat.srn.stages import step_process
from caffe_compat.srn.stages.stages import Stage
from caffe_compat.srn.stages.step_process import (
    environment_of,
    has_finished,
    is_first_process,
    wait_for,
)

STAGE = Stage(3, "srn", Path("solver.prototxt"), caffe_pb2.SolverParameter(snapshot_prefix="none"))


@pytest.mark.parametrize(
    ("environment", "first"),
    [({}, True), ({"RANK": "0"}, True), ({"RANK": "2"}, False), ({"OMPI_COMM_WORLD_RANK": "1"}, False)],
)
def test_ranks_of_torchrun_and_mpirun(monkeypatch, environment, first):
    for name in ("RANK", "OMPI_COMM_WORLD_RANK"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    assert is_first_process() == first


def test_each_step_has_a_port_and_a_store_of_its_own(monkeypatch):
    monkeypatch.setenv("MASTER_PORT", "4000")
    monkeypatch.setenv("TORCHELASTIC_USE_AGENT_STORE", "True")
    monkeypatch.setenv("PYTHONPATH", "/mine")
    environment = environment_of(STAGE)

    assert environment["MASTER_PORT"] == "4003"
    assert "TORCHELASTIC_USE_AGENT_STORE" not in environment
    assert environment["CAFFE_COMPAT_PARENT"] == str(os.getpid())
    assert environment["PYTHONPATH"] == f"{Path(__file__).parents[3]}{os.pathsep}/mine"


def test_others_wait_for_the_weights_that_the_first_process_writes(monkeypatch):
    monkeypatch.setattr(step_process, "SECONDS_BETWEEN_POLLS", 0)
    monkeypatch.setenv("RANK", "1")
    with monkeypatch.context() as late:
        late.setattr(Stage, "is_done", PropertyMock(side_effect=[False, False, True, True]))
        assert has_finished(STAGE)
    monkeypatch.setenv("RANK", "0")
    assert not has_finished(STAGE)


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 7), (signal.SIGHUP, 7), (signal.SIGTERM, -15)])
def test_signals_go_on_to_the_process(monkeypatch, number, status):
    program = (
        "import signal, sys, time\n"
        "for number in (signal.SIGINT, signal.SIGHUP):\n"
        "    signal.signal(number, lambda *_: sys.exit(7))\n"
        "print(flush=True)\n"
        "time.sleep(60)"
    )
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE)
    assert process.stdout
    process.stdout.readline()
    before = signal.getsignal(number)
    wait = process.wait

    def signal_and_wait() -> int:
        os.kill(os.getpid(), number)  # the handlers are there now
        return wait()

    monkeypatch.setattr(process, "wait", signal_and_wait)

    assert wait_for(process) == status
    assert signal.getsignal(number) is before
    process.stdout.close()


@pytest.mark.slow
def test_ctrl_c_on_the_terminal_reaches_a_step_once(tmp_path):
    """The terminal signals the whole group of the parent: the step, in a group of its own, hears of it from there."""
    child = (
        "import signal, sys, time\n"
        "count = []\n"
        "signal.signal(signal.SIGINT, lambda *_: count.append(1))\n"
        "print('ready', flush=True)\n"
        "time.sleep(2)\n"
        "print(len(count), flush=True)\n"
    )
    parent = (
        "import sys\n"
        "from types import SimpleNamespace\n"
        "from caffe_compat.srn.stages.step_process import start_process, wait_for\n"
        f"sys.exit(wait_for(start_process([sys.executable, '-c', {child!r}], SimpleNamespace(number=1))))\n"
    )
    root = Path(__file__).parents[3]
    process = subprocess.Popen(
        [sys.executable, "-c", parent], stdout=subprocess.PIPE, cwd=root, process_group=0, text=True
    )
    assert process.stdout
    assert process.stdout.readline() == "ready\n"
    os.killpg(process.pid, signal.SIGINT)
    assert process.stdout.readline() == "1\n"
    assert process.wait() == 0
    process.stdout.close()


@pytest.mark.slow
def test_a_step_ends_when_its_parent_is_killed(tmp_path):
    child = (
        "import time\n"
        "from caffe_compat.solvers.actions import end_with_parent\n"
        "end_with_parent()\n"
        "print('ready', flush=True)\n"
        "time.sleep(60)\n"
    )
    parent = (
        "import sys\n"
        "from types import SimpleNamespace\n"
        "from caffe_compat.srn.stages.step_process import start_process, wait_for\n"
        f"process = start_process([sys.executable, '-c', {child!r}], SimpleNamespace(number=1))\n"
        "print(process.pid, flush=True)\n"
        "wait_for(process)\n"
    )
    root = Path(__file__).parents[3]
    process = subprocess.Popen([sys.executable, "-c", parent], stdout=subprocess.PIPE, cwd=root, text=True)
    assert process.stdout
    process.stdout.readline()
    assert process.stdout.readline() == "ready\n"
    process.kill()
    process.wait()
    assert process.stdout.read() == ""  # the end of the pipe: the child is gone too
    process.stdout.close()
