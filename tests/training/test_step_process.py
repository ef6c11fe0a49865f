import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from caffe_compat.training import step_process
from caffe_compat.training.step_process import environment_of, has_finished, is_first_process, wait_for

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
    assert environment["PYTHONPATH"] == f"{Path(__file__).parents[2]}{os.pathsep}/mine"


def test_others_wait_for_the_weights_that_the_first_process_writes(monkeypatch):
    answers = iter([False, False, True, True])
    monkeypatch.setattr(step_process, "SECONDS_BETWEEN_POLLS", 0)
    monkeypatch.setenv("RANK", "1")
    stage = type("Late", (), {"is_done": property(lambda self: next(answers))})()

    assert has_finished(stage)
    monkeypatch.setenv("RANK", "0")
    assert not has_finished(STAGE)


def test_an_interrupt_waits_for_the_process_to_stop():
    class Process:
        statuses = iter([KeyboardInterrupt, 5])

        def wait(self):
            status = next(self.statuses)
            if status is KeyboardInterrupt:
                raise KeyboardInterrupt
            return status

    assert wait_for(Process()) == 5
