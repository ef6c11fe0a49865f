import os
import signal
import subprocess
import sys
from pathlib import Path
from threading import Timer
from types import SimpleNamespace

import pytest

from caffe_compat.srn.stages import step_process
from caffe_compat.srn.stages.step_process import environment_of, has_finished, is_first_process, wait_for

STAGE = SimpleNamespace(number=3, is_done=False)


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
    assert environment["PYTHONPATH"] == f"{Path(__file__).parents[3]}{os.pathsep}/mine"


def test_others_wait_for_the_weights_that_the_first_process_writes(monkeypatch):
    answers = iter([False, False, True, True])
    monkeypatch.setattr(step_process, "SECONDS_BETWEEN_POLLS", 0)
    monkeypatch.setenv("RANK", "1")
    stage = type("Late", (), {"is_done": property(lambda self: next(answers))})()

    assert has_finished(stage)
    monkeypatch.setenv("RANK", "0")
    assert not has_finished(STAGE)


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 7), (signal.SIGHUP, 7), (signal.SIGTERM, -15)])
def test_signals_go_on_to_the_process(number, status):
    program = (
        "import signal, sys, time\n"
        "for number in (signal.SIGINT, signal.SIGHUP):\n"
        "    signal.signal(number, lambda *_: sys.exit(7))\n"
        "print(flush=True)\n"
        "time.sleep(60)"
    )
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE)
    process.stdout.readline()
    before = signal.getsignal(number)
    Timer(0.2, os.kill, (os.getpid(), number)).start()

    assert wait_for(process) == status
    assert signal.getsignal(number) is before
    process.stdout.close()
