"""Real disks that refuse snapshots: full, without inodes, read-only since a moment, or gone. Small mounts of memory."""

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from caffe_compat.errors import CaffeError, SolverError
from caffe_compat.proto.read import read_solver
from caffe_compat.solvers.prefix import newest_whole_snapshot
from caffe_compat.solvers.solver import Callback, Solver
from tests.reliability.attack_disk import require_one_line
from tests.reliability.command_inputs import command


def run(*command: str) -> bool:
    """Whether a command of the system succeeds."""
    program = shutil.which(command[0])
    return (
        program is not None and not subprocess.run([program, *command[1:]], capture_output=True, check=False).returncode
    )


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own in memory: 400 kB and 24 inodes; skipped where mounting is not allowed."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if not run("mount", "-t", "tmpfs", "-o", "size=400k,nr_inodes=24", "tmpfs", str(folder)):
        pytest.skip("mounting needs the rights of root")
    yield folder
    run("umount", "-l", str(folder))


def fill_with_bytes(disk: Path) -> None:
    """Leaves no byte."""
    free = os.statvfs(disk)
    (disk / "filler").write_bytes(b"x" * (free.f_bavail * free.f_bsize))


def fill_with_files(disk: Path) -> None:
    """Leaves no inode."""
    for number in range(os.statvfs(disk).f_favail):
        (disk / f"file_{number}").touch()


def make_read_only(disk: Path) -> None:
    """As the system itself does after errors of a disk."""
    assert run("mount", "-o", "remount,ro", str(disk))


def remove_folder(disk: Path) -> None:
    """The snapshots go with it."""
    shutil.rmtree(disk / "snapshots")


WAYS: dict[str, tuple[Callable[[Path], None], str]] = {
    "full": (fill_with_bytes, "No space left on device"),
    "no inodes": (fill_with_files, "No space left on device"),
    "read-only": (make_read_only, "Read-only file system"),
    "gone": (remove_folder, "No such file or directory|no such folder|does not exist"),
}


@pytest.mark.parametrize("way", WAYS)
def test_a_disk_that_fails_in_training_is_told_in_a_line_and_nothing_is_lost(
    way: str,
    inputs: Path,
    disk: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The disk fails in the second of three iterations; the last snapshot goes to the folder that the error names."""
    (disk / "snapshots").mkdir()
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    prefix = f"{disk}/snapshots/s"
    parameter = read_solver("list_solver.prototxt")
    parameter.snapshot_prefix, parameter.snapshot, parameter.max_iter = prefix, 1, 3
    solver = Solver(parameter, "exact")
    fail, reason = WAYS[way]
    solver.callbacks.append(Callback(lambda: solver.iteration == 1 and fail(disk), lambda: None))
    caplog.set_level("ERROR", logger="caffe_compat")
    with pytest.raises(SolverError, match=r"^the last snapshot is in .* cannot be written") as end:
        solver.solve()
    solver.close()
    refused = [line for line in caplog.messages if "cannot write this snapshot" in line]
    assert len(refused) == 3, caplog.messages  # of iterations 2 and 3, and the last one
    for line in refused:
        require_one_line(line)
        assert re.search(reason, line), line
    fallback = str(end.value).split()[5].rstrip(",")
    assert newest_whole_snapshot(f"{fallback}/s") == f"{fallback}/s_iter_3.solverstate"
    assert newest_whole_snapshot(prefix) == (None if way == "gone" else f"{prefix}_iter_1.solverstate")


@pytest.mark.parametrize("way", ["no inodes", "read-only", "gone"])
def test_a_folder_that_cannot_be_written_is_found_before_the_first_iteration(
    way: str, inputs: Path, disk: Path
) -> None:
    (disk / "snapshots").mkdir()
    WAYS[way][0](disk)
    parameter = read_solver("list_solver.prototxt")
    parameter.snapshot_prefix = f"{disk}/snapshots/s"
    solver = Solver(parameter, "exact")
    with pytest.raises(SolverError, match=rf"^Cannot write to snapshot prefix '.*/s'.*{WAYS[way][1]}"):
        solver.solve()
    solver.close()
    assert solver.iteration == 0


@pytest.mark.parametrize("way", ["full", "no inodes", "read-only"])  # a command makes the folder of its output
def test_a_command_on_such_a_disk_says_so_in_a_line(way: str, inputs: Path, disk: Path) -> None:
    (disk / "snapshots").mkdir()
    out = disk / "snapshots" / "m.safetensors"
    WAYS[way][0](disk)
    with pytest.raises(CaffeError) as refused:
        command("convert", "s_iter_2.caffemodel", "--to", "safetensors", "--out", str(out), "--quiet")
    require_one_line(str(refused.value))
    assert re.search(WAYS[way][1], str(refused.value)), refused.value
    assert not out.exists()
