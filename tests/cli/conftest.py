"""Running commands as a shell would, in this process."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from caffe_compat.cli.start import start
from caffe_compat.net.device import set_mode_cpu

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
