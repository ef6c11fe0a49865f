"""Good snapshots outlive NaN weights, full disks and --keep."""

import tempfile
import time
from pathlib import Path

import numpy as np
import pytest

from caffe_compat.errors import SolverError
from caffe_compat.net.net import Net
from caffe_compat.solvers import snapshot_writer
from caffe_compat.solvers.actions import Action
from caffe_compat.solvers.snapshot import write_net
from caffe_compat.solvers.snapshot_writer import SnapshotError, reason_in_words
from caffe_compat.solvers.solver import Solver
from caffe_compat.solvers.solver_nets import copy_weights
from tests.solvers.least_squares import make_solver, solver_parameter


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_nan_weights_are_not_written(tmp_path: Path) -> None:
    solver = make_solver(f'base_lr: 0.1 snapshot_prefix: "{tmp_path}/s"')
    solver.snapshot()
    solver.net.params["ip"][0].data[1, 2] = np.inf
    solver.schedule.iteration = 4
    message = (
        rf"^{tmp_path}/s_iter_4.caffemodel: not written, for it would hold NaN or infinite weights \(weight blob 0 of "
        rf"layer 'ip' .*\); the last good snapshot is {tmp_path}/s_iter_0.caffemodel"
    )
    with pytest.raises(SolverError, match=message):
        solver.snapshot()
    assert len(names(tmp_path)) == 3


def test_ignored_nan_weights_are_written_but_over_no_older_file(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    solver = Solver(solver_parameter(f'snapshot_prefix: "{tmp_path}/s"'), on_nan="ignore")
    solver.snapshot()
    good = (tmp_path / "s_iter_0.caffemodel").read_bytes()
    solver.net.params["ip"][0].data[...] = np.nan
    solver.snapshot()
    assert (tmp_path / "s_iter_0.caffemodel").read_bytes() == good
    assert "s_iter_0.caffemodel: not written over an older snapshot, for it would hold NaN" in caplog.text
    solver.schedule.iteration = 1
    solver.snapshot()
    assert "s_iter_1.caffemodel will hold NaN or infinite weights" in caplog.text
    copy_weights(solver.net, f"{tmp_path}/s_iter_1.caffemodel")
    assert "s_iter_1.caffemodel: the weights hold NaN or infinite values (weight blob 0 of layer 'ip'" in caplog.text
    with pytest.raises(
        SolverError, match=r"^.*s_iter_1.caffemodel: weight blob 0 .*; resume from an older snapshot, or"
    ):
        make_solver("base_lr: 0.1").restore(f"{tmp_path}/s_iter_1.solverstate")
    solver.restore(f"{tmp_path}/s_iter_1.solverstate")


def test_keep_removes_older_snapshots_and_nothing_else(tmp_path: Path) -> None:
    for other in ("other_iter_1.solverstate", "s_iter_1.png", "s_iter_99.solverstate"):
        (tmp_path / other).touch()
    solver = Solver(solver_parameter(f'base_lr: 0.1 snapshot_prefix: "{tmp_path}/s" random_seed: 1'), keep=2)
    for _ in range(4):
        solver.step(1)
        solver.snapshot()
    kept = [f"s_iter_{n}.{kind}" for n in (3, 4) for kind in ("caffemodel", "resume.json", "solverstate")]
    assert names(tmp_path) == sorted([*kept, "other_iter_1.solverstate", "s_iter_1.png", "s_iter_99.solverstate"])


def test_keep_must_be_a_number_of_snapshots() -> None:
    with pytest.raises(SolverError, match=r"^--keep -1: expected a number of snapshots, or 0 for all"):
        Solver(solver_parameter("base_lr: 0.1"), keep=-1)


@pytest.fixture
def full_disk(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A disk that refuses the paths that start with one of the list."""
    full: list[str] = []

    def refusing(net: Net, path: str, with_gradients: bool) -> None:
        if any(path.startswith(start) for start in full):
            raise OSError(28, "No space left on device", path)
        write_net(net, path, with_gradients)

    monkeypatch.setattr(snapshot_writer, "write_net", refusing)
    monkeypatch.setattr(snapshot_writer, "RETRY_SECONDS", 0.01)
    return full


def test_a_full_disk_in_between_does_not_end_training(
    tmp_path: Path, full_disk: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    full_disk.append(f"{tmp_path}/s_iter_2")
    text = f'base_lr: 0.1 max_iter: 4 snapshot: 1 snapshot_prefix: "{tmp_path}/s"'
    make_solver(text).solve()
    assert f"{tmp_path}/s_iter_2.caffemodel: cannot write this snapshot: No space left on device" in caplog.text
    assert f"the last good snapshot is {tmp_path}/s_iter_1.caffemodel. Training goes on" in caplog.text
    assert (tmp_path / "s_iter_4.solverstate").exists()


def test_a_last_snapshot_goes_to_a_fallback_that_is_named(
    tmp_path: Path, full_disk: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    full_disk.append(f"{tmp_path}/s")
    solver = make_solver(f'base_lr: 0.1 max_iter: 3 snapshot: 3 snapshot_prefix: "{tmp_path}/s"')
    with pytest.raises(
        SolverError, match=rf"^the last snapshot is in {tmp_path}/tmp/caffe_compat_snapshot_\w+, for sn"
    ):
        solver.solve()
    (folder,) = (tmp_path / "tmp").iterdir()
    assert folder.stat().st_mode & 0o777 == 0o700
    make_solver("base_lr: 0.1").restore(f"{folder}/s_iter_3.solverstate")


def test_without_a_fallback_training_waits_for_room(
    tmp_path: Path, full_disk: list[str], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "missing"))
    full_disk.append(f"{tmp_path}/s")
    monkeypatch.setattr(time, "sleep", lambda seconds: full_disk.clear())
    make_solver(f'base_lr: 0.1 max_iter: 2 snapshot_prefix: "{tmp_path}/s"').solve()
    assert "Trying again in 0.01 s: make room, or interrupt to end without this snapshot" in caplog.text
    assert "No folder for temporary files takes the snapshot" in caplog.text
    assert (tmp_path / "s_iter_2.solverstate").exists()


def test_a_waiting_training_can_be_interrupted(
    tmp_path: Path, full_disk: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "missing"))
    full_disk.append(f"{tmp_path}/s")
    solver = make_solver(f'base_lr: 0.1 max_iter: 1 snapshot_prefix: "{tmp_path}/s"')
    solver.requested_action = lambda: Action.STOP
    with pytest.raises(
        SnapshotError, match=r"cannot write this snapshot: No space left.*this run has written no snapsh"
    ):
        solver.solve()


def test_a_missing_folder_is_found_before_training(tmp_path: Path) -> None:
    solver = make_solver(f'base_lr: 0.1 max_iter: 1 snapshot_prefix: "{tmp_path}/no/s"')
    with pytest.raises(SolverError, match=rf"^Cannot write to snapshot prefix '{tmp_path}/no/s'.*No such file or dir"):
        solver.solve()
    assert solver.iteration == 0


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(28, "No space left on device", "a/b"), "No space left on device (a/b)"),
        (
            OSError("Can't write\n (errno = 28, error message = 'No space left on device', buf"),
            "No space left on device",
        ),
        (RuntimeError("Unable to close"), "Unable to close"),
        (RuntimeError(), "RuntimeError"),
    ],
)
def test_reasons_are_a_few_words(error: Exception, words: str) -> None:
    assert reason_in_words(error) == words
