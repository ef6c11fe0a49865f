"""--device and --gpu."""

import argparse
import os
import signal
import threading
import time
from functools import partial
from pathlib import Path

import pytest
import torch

from caffe_compat.cli import devices
from caffe_compat.cli.devices import ProcessPlace, gpus_of, place_of_environment, start_workers
from caffe_compat.cli.flags import device, device_of_gpu
from caffe_compat.errors import MissingFeatureError
from caffe_compat.solvers.actions import STOPPED_EARLY
from tests.cli.conftest import Program


@pytest.mark.parametrize(
    ("text", "gpus"), [("", []), ("cpu", []), ("cuda", [0]), ("cuda:2", [2]), ("cuda:0,3,1", [0, 3, 1])]
)
def test_numbers(text: str, gpus: list[int]) -> None:
    assert gpus_of(device(text)) == gpus


@pytest.mark.parametrize(("text", "gpus"), [("", []), ("none", []), ("2", [2]), ("0,3,1", [0, 3, 1])])
def test_caffes_spelling(text: str, gpus: list[int]) -> None:
    assert gpus_of(device_of_gpu(text)) == gpus


@pytest.mark.parametrize("text", ["0;1", "-1", "1,", "cuda:0"])
def test_what_is_no_number(text: str) -> None:
    with pytest.raises(
        argparse.ArgumentTypeError, match=rf"^expected numbers separated by commas, all or none, found '{text}'"
    ):
        device_of_gpu(text)


@pytest.mark.parametrize("text", ["gpu", "cuda:", "cuda:0,", "0", "none"])
def test_what_is_no_device(text: str) -> None:
    with pytest.raises(
        argparse.ArgumentTypeError, match=rf"^expected cpu, cuda, cuda:0, cuda:0,1 or all, found '{text}'"
    ):
        device(text)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there are GPUs")
def test_all_without_any() -> None:
    with pytest.raises(MissingFeatureError, match=r"^cannot use GPU mode"):
        gpus_of("all")


VARIABLES = [name for names in devices._NAMES for name in names]


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


def test_alone_without_a_launcher() -> None:
    assert place_of_environment() == ProcessPlace(0, 1, 0)


def test_torchrun_and_mpirun(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in zip(VARIABLES[3:], ("5", "8", "1"), strict=True):
        monkeypatch.setenv(name, value)
    assert place_of_environment() == ProcessPlace(5, 8, 1)
    for name, value in zip(VARIABLES[:3], ("2", "4", "2"), strict=True):
        monkeypatch.setenv(name, value)
    assert place_of_environment() == ProcessPlace(2, 4, 2)


def note_place_and_end(folder: Path, status: int) -> int:
    """What one process does: it keeps its place in a file; all but the second then wait where that one fails."""
    place = place_of_environment()
    (folder / str(place.rank)).write_text(f"{place.world_size} {place.local_rank}")
    if status == 2 and place.rank != 1:
        time.sleep(60)
    return status if place.rank == 1 else 0


@pytest.mark.slow
@pytest.mark.parametrize(("status", "expected"), [(0, 0), (STOPPED_EARLY, STOPPED_EARLY), (2, 1)])
def test_workers_get_their_rank_and_one_that_fails_ends_all(status: int, expected: int, tmp_path: Path) -> None:
    started = time.monotonic()
    assert start_workers(2, partial(note_place_and_end, tmp_path, status)) == expected
    assert time.monotonic() - started < 60
    assert (tmp_path / "1").read_text() == "2 1"
    if expected != 1:
        assert (tmp_path / "0").read_text() == "2 0"


def interrupt_parent_and_wait(folder: Path) -> int:
    """What one process does: it is told of the signal that its parent gets."""
    told = threading.Event()
    signal.signal(signal.SIGHUP, lambda number, frame: told.set())
    place = place_of_environment()
    (folder / str(place.rank)).touch()
    while len(list(folder.iterdir())) < place.world_size:
        time.sleep(0.05)
    if place.rank == 0:
        os.kill(os.getppid(), signal.SIGHUP)
    return 0 if told.wait(30) else 5


@pytest.mark.slow
def test_signals_go_on_to_all(tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGHUP)
    assert start_workers(2, partial(interrupt_parent_and_wait, tmp_path)) == 0
    assert signal.getsignal(signal.SIGHUP) is before


@pytest.mark.slow
def test_a_training_that_every_process_refuses_fails_once(tmp_path: Path, program: Program) -> None:
    (tmp_path / "solver.prototxt").write_text('net: "none.prototxt" base_lr: 1 lr_policy: "fixed" max_iter: 1')
    if torch.cuda.device_count() < 2:
        assert program("train", "--solver", tmp_path / "solver.prototxt", "--device=cuda:0,1").returncode == 1
