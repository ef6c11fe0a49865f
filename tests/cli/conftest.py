"""Running commands as a shell would, in this process."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from caffe_compat.cli.commands import run_command
from caffe_compat.net.device import set_mode_cpu

Run = Callable[..., tuple[int, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Iterator[Run]:
    """Runs a command; returns its exit status and what it wrote to stderr."""

    def run_in_process(*arguments: object) -> tuple[int, str]:
        status = run_command([str(argument) for argument in arguments])
        return status, capsys.readouterr().err

    yield run_in_process
    set_mode_cpu()


@pytest.fixture
def goldens() -> Path:
    """Records of real Caffe."""
    return Path(__file__).resolve().parents[1] / "goldens"
