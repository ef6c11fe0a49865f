"""A folder, a pipe, a socket or a device in the place of every file that is read: refused at once, never a hang."""

import os
import shutil
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.reliability.attack_inputs import ALL_KINDS, outcome
from tests.reliability.conftest import working_copy
from tests.reliability.inputs import Kind

#: Seconds after which a use hangs.
PATIENCE = 20
#: convert_imageset leaves such images out with a line for each, as Caffe does.
LEFT_OUT = "image, converted"


def _socket(path: str) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(path)


OTHERS: dict[str, Callable[[str], object]] = {
    "folder": os.mkdir,
    "pipe": os.mkfifo,
    "socket": _socket,
    "device": lambda path: os.symlink("/dev/zero", path),
}


@contextmanager
def at_most(seconds: int) -> Iterator[None]:
    """Raises TimeoutError in the block after so many seconds."""

    def stop(*_: object) -> None:
        raise AssertionError(f"waits for more than {seconds} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


@pytest.fixture(scope="module", name="work")
def made(good_command_inputs: Path) -> Iterator[Path]:
    """One copy of the inputs for all tests of this module, each of which puts its file back."""
    with working_copy(good_command_inputs) as folder:
        yield folder


@pytest.mark.parametrize("other", OTHERS)
@pytest.mark.parametrize("kind", ALL_KINDS, ids=lambda kind: kind.name)
def test_what_is_no_file_is_refused(kind: Kind, other: str, work: Path) -> None:
    path = work / kind.file
    good = path.read_bytes()
    path.unlink()
    OTHERS[other](os.path.relpath(path))
    with at_most(PATIENCE):
        result = outcome(kind, 0)
    shutil.rmtree(path) if other == "folder" else path.unlink()
    path.write_bytes(good)
    assert result.verdict == ("read" if kind.name == LEFT_OUT else "refused"), result
