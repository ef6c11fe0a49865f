"""Two trainings never write under one prefix, and --snapshot=auto takes its newest whole snapshot."""

import fcntl
import os
from pathlib import Path

import numpy as np
import pytest

from caffe_compat.errors import SolverError
from caffe_compat.solvers import prefix
from caffe_compat.solvers.prefix import locked_prefix, newest_whole_snapshot, numbered_snapshots
from caffe_compat.solvers.solver import Solver
from tests.solvers.least_squares import make_solver, solver_parameter


def test_the_second_is_told_who_writes_there(tmp_path: Path) -> None:
    prefix = f"{tmp_path}/s"
    message = rf"^snapshot_prefix '{prefix}': another training writes there \(process {os.getpid()} on .*\); wait for "
    with locked_prefix(prefix), pytest.raises(SolverError, match=message), locked_prefix(prefix):
        pass
    assert not list(tmp_path.iterdir())
    with locked_prefix(prefix), locked_prefix(f"{tmp_path}/s2"):
        pass


def test_the_file_of_a_killed_run_is_no_lock(tmp_path: Path) -> None:
    (tmp_path / "s.lock").write_text("process 1 on elsewhere")
    with locked_prefix(f"{tmp_path}/s"):
        assert f"process {os.getpid()}" in (tmp_path / "s.lock").read_text()


def test_what_killed_runs_left_of_this_prefix_is_removed(tmp_path: Path) -> None:
    for name in (".s_iter_10.caffemodel.123.part", ".s2_iter_1.caffemodel.9.part", "s_iter_1.part", ".s.part"):
        (tmp_path / name).touch()
    with locked_prefix(f"{tmp_path}/s"):
        left = {path.name for path in tmp_path.iterdir()}
    assert left == {".s2_iter_1.caffemodel.9.part", "s_iter_1.part", ".s.part", "s.lock"}


def test_a_missing_folder_is_told(tmp_path: Path) -> None:
    with (
        pytest.raises(SolverError, match=r"/no/s': cannot write '.*/no/s.lock': No such file or directory; make the f"),
        locked_prefix(f"{tmp_path}/no/s"),
    ):
        pass


def test_a_link_in_place_of_the_lock_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "victim").write_text("precious")
    (tmp_path / "s.lock").symlink_to(tmp_path / "victim")
    with pytest.raises(SolverError, match=r"cannot write '.*s.lock': "), locked_prefix(f"{tmp_path}/s"):
        pass
    assert (tmp_path / "victim").read_text() == "precious"


def test_without_locks_of_the_file_system_training_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def no_locks(descriptor: int, operation: int) -> None:
        raise OSError(37, "No locks available")

    monkeypatch.setattr(fcntl, "flock", no_locks)
    with locked_prefix(f"{tmp_path}/s"):
        pass
    assert "s.lock: this file system has no locks; see to it that no other training writes there" in caplog.text


def test_a_lock_that_was_removed_meanwhile_is_taken_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lock = prefix._lock
    removed: list[Path] = []

    def remove_once(descriptor: int, path: Path) -> None:
        lock(descriptor, path)
        if not removed:
            removed.append(path)
            path.unlink()

    monkeypatch.setattr(prefix, "_lock", remove_once)
    with locked_prefix(f"{tmp_path}/s"):
        assert (tmp_path / "s.lock").exists()


@pytest.fixture
def snapshots(tmp_path: Path) -> str:
    """Snapshots of iterations 1, 2, 3 and 10."""
    solver = make_solver(f'base_lr: 0.1 momentum: 0.9 snapshot_prefix: "{tmp_path}/s"')
    for iteration in (1, 2, 3, 10):
        solver.step(1)
        solver.schedule.iteration = iteration
        solver.snapshot()
    return f"{tmp_path}/s"


def test_the_newest_is_that_of_the_largest_number(snapshots: str) -> None:
    assert [snapshot.iteration for snapshot in numbered_snapshots(snapshots)] == [10, 3, 2, 1]
    assert newest_whole_snapshot(snapshots) == f"{snapshots}_iter_10.solverstate"


def test_no_snapshot_is_no_error(tmp_path: Path) -> None:
    assert newest_whole_snapshot(f"{tmp_path}/s") is None
    assert newest_whole_snapshot(f"{tmp_path}/missing/s") is None


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-40])


def replace(path: Path) -> None:
    path.write_bytes(path.with_name(path.name.replace("_10", "_3")).read_bytes())


@pytest.mark.parametrize(
    ("kind", "damage", "reason"),
    [
        ("solverstate", cut, "s_iter_10.solverstate"),
        ("caffemodel", cut, "s_iter_10.caffemodel"),
        ("caffemodel", Path.unlink, "s_iter_10.caffemodel: no such file"),
        ("resume.json", cut, "s_iter_10.resume.json: expected what this program writes"),
        ("caffemodel", replace, "s_iter_10.caffemodel is not the file that s_iter_10.resume.json was written with"),
    ],
)
def test_a_damaged_newest_one_is_passed_over_by_name(
    kind: str, damage: object, reason: str, snapshots: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert callable(damage)
    damage(Path(f"{snapshots}_iter_10.{kind}"))
    assert newest_whole_snapshot(snapshots) == f"{snapshots}_iter_3.solverstate"
    assert f"Passing over {snapshots}_iter_10.solverstate: " in caplog.text
    assert reason in caplog.text


@pytest.mark.parametrize("replaced", ["caffemodel", "solverstate", "resume.json"])
def test_a_pipe_in_place_of_a_file_is_passed_over(
    replaced: str, snapshots: str, caplog: pytest.LogCaptureFixture
) -> None:
    pipe = Path(f"{snapshots}_iter_10.{replaced}")
    pipe.unlink()
    os.mkfifo(pipe)
    assert newest_whole_snapshot(snapshots) == f"{snapshots}_iter_3.solverstate"
    assert f"{pipe}: expected " in caplog.text


def test_nan_weights_are_passed_over(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    solver = Solver(solver_parameter(f'base_lr: 0.1 snapshot_prefix: "{tmp_path}/s"'), on_nan="ignore")
    solver.snapshot()
    solver.schedule.iteration = 1
    solver.net.params["ip"][1].data[1] = np.nan
    solver.snapshot()
    assert newest_whole_snapshot(f"{tmp_path}/s") == f"{tmp_path}/s_iter_0.solverstate"
    assert "s_iter_1.caffemodel: weight blob 1 of layer 'ip' holds 1 NaN or infinite of 3 values" in caplog.text


def test_where_none_is_whole_nothing_is_trained_anew(snapshots: str) -> None:
    for snapshot in numbered_snapshots(snapshots):
        cut(snapshot.weights)
    with pytest.raises(SolverError, match=r"/s': none of 4 snapshots is whole \(see the warnings above\); move them"):
        newest_whole_snapshot(snapshots)
