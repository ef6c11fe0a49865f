"""Running commands as a shell would, in this process."""

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

import pytest

from caffe_compat.cli.start import start
from caffe_compat.net.settings import set_mode_cpu
from caffe_compat.terminal import progress

Run = Callable[..., tuple[int, str]]


class Done(NamedTuple):
    """What a command left behind, named as subprocess names it."""

    returncode: int
    stdout: str
    stderr: str


Program = Callable[..., Done]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Iterator[Run]:
    """Runs a command; returns its exit status and what it wrote to stderr."""

    def run_in_process(*arguments: object) -> tuple[int, str]:
        status = start([str(argument) for argument in arguments])
        return status, capsys.readouterr().err

    yield run_in_process
    set_mode_cpu()


@pytest.fixture
def program(capsys: pytest.CaptureFixture[str]) -> Iterator[Program]:
    """Runs a command; returns its exit status, what it printed, and what it wrote to stderr."""

    def run_in_process(*arguments: object) -> Done:
        status = start([str(argument) for argument in arguments])
        return Done(status, *capsys.readouterr())

    yield run_in_process
    set_mode_cpu()


@pytest.fixture
def goldens() -> Path:
    """Records of real Caffe."""
    return Path(__file__).resolve().parents[1] / "goldens"


@pytest.fixture
def slow_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each look at the clock finds it two minutes later, so that all progress prints lines."""
    minutes = itertools.count(step=120)
    monkeypatch.setattr(progress, "time", SimpleNamespace(monotonic=lambda: float(next(minutes))))
