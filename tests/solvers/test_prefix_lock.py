"""Two trainings never write the snapshots of one prefix."""

import fcntl
import os
from pathlib import Path

import pytest

from caffe_compat.errors import SolverError
from caffe_compat.solvers import prefix_lock
from caffe_compat.solvers.prefix_lock import locked_prefix


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
    lock = prefix_lock._lock
    removed: list[Path] = []

    def remove_once(descriptor: int, path: Path) -> None:
        lock(descriptor, path)
        if not removed:
            removed.append(path)
            path.unlink()

    monkeypatch.setattr(prefix_lock, "_lock", remove_once)
    with locked_prefix(f"{tmp_path}/s"):
        assert (tmp_path / "s.lock").exists()
