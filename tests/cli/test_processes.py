"""Which process this is, and starting several."""

import sys
from pathlib import Path

import pytest

from caffe_compat.cli import processes
from caffe_compat.cli.processes import Place, place_of_environment, start_workers

VARIABLES = [name for names in processes._NAMES for name in names]


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


def test_alone_without_a_launcher() -> None:
    assert place_of_environment() == Place(0, 1, 0)


def test_torchrun_and_mpirun(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in zip(VARIABLES[3:], ("5", "8", "1"), strict=True):
        monkeypatch.setenv(name, value)
    assert place_of_environment() == Place(5, 8, 1)
    for name, value in zip(VARIABLES[:3], ("2", "4", "2"), strict=True):
        monkeypatch.setenv(name, value)
    assert place_of_environment() == Place(2, 4, 2)


@pytest.mark.parametrize(("status", "expected"), [(0, 0), (3, 1)])
def test_workers_get_their_rank_and_one_that_fails_ends_all(
    status: int, expected: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "worker.py"
    program.write_text(
        "import os, sys, time\n"
        f"open(os.path.join({str(tmp_path)!r}, os.environ['RANK']), 'w').write(os.environ['WORLD_SIZE'])\n"
        f"sys.exit({status}) if os.environ['RANK'] == '1' else time.sleep({60 if status else 0})\n"
    )
    monkeypatch.setattr(processes, "worker_command", lambda: [sys.executable, str(program)])
    assert start_workers(2) == expected
    assert [(tmp_path / rank).read_text() for rank in "01"][: 2 - bool(status)] == ["2", "2"][: 2 - bool(status)]
