"""Snapshots of real Caffes are resumed, wrong files refused, and good ones outlive NaN, full disks and --keep."""

import shutil
import tempfile
import time
from pathlib import Path

import h5py
import numpy as np
import pytest

from caffe_compat.errors import SolverError
from caffe_compat.net.net import Net
from caffe_compat.proto import caffe_pb2
from caffe_compat.proto.read import SolverState, read_solver, read_solver_state
from caffe_compat.proto.write import write_solver_state
from caffe_compat.solvers import snapshot
from caffe_compat.solvers.actions import Action
from caffe_compat.solvers.snapshot import SnapshotError, write_net
from caffe_compat.solvers.solver import Solver
from caffe_compat.solvers.solver_nets import copy_weights
from tests.solvers.least_squares import make_solver, solver_parameter, weights_of
from tests.solvers.recorded import CASES, prepared


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_snapshot_of_real_caffe_is_resumed_and_written_back(
    case: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(prepared(case, tmp_path))
    solver = Solver(read_solver("solver.prototxt"))
    (state,) = tmp_path.glob("s_iter_10.solverstate*")
    theirs = read_solver_state(state)
    solver.restore(state.name)
    assert solver.iteration == 10
    shutil.move(state, "theirs")
    solver.snapshot()
    mine = read_solver_state(state)
    assert (mine.iter, mine.learned_net, mine.current_step) == (10, theirs.learned_net, theirs.current_step)
    assert all(map(np.array_equal, mine.history, theirs.history))


def test_weights_that_moved_are_found_beside_the_state(tmp_path: Path) -> None:
    solver = make_solver(f'base_lr: 0.1 snapshot_prefix: "{tmp_path}/s"')
    solver.step(1)
    solver.snapshot()
    (tmp_path / "moved").mkdir()
    for file in tmp_path.glob("s_iter_1.*"):
        shutil.move(file, tmp_path / "moved" / file.name)
    make_solver("base_lr: 0.1").restore(str(tmp_path / "moved" / "s_iter_1.solverstate"))


def test_a_state_that_names_no_weights_leaves_them(tmp_path: Path) -> None:
    histories = [np.full((3, 4), 0.5, np.float32), np.full(3, 0.25, np.float32)]
    write_solver_state(tmp_path / "s_iter_7.solverstate", SolverState(7, "", 0, histories))
    solver = make_solver("base_lr: 0.1")
    before = weights_of(solver)
    solver.restore(f"{tmp_path}/s_iter_7.solverstate")
    assert solver.iteration == 7
    assert all(map(np.array_equal, weights_of(solver), before))
    assert all(map(np.array_equal, solver.updater.histories, histories))


def test_weights_in_place_of_a_state_are_refused_in_caffes_words(tmp_path: Path) -> None:
    solver = make_solver(f'base_lr: 0.1 snapshot_prefix: "{tmp_path}/s"')
    solver.snapshot()
    message = r"s_iter_0.caffemodel: Incorrect length of history blobs. \(0 vs. 2\): expected a .solverstate, found w"
    with pytest.raises(SolverError, match=rf"^{tmp_path}/{message}"):
        solver.restore(f"{tmp_path}/s_iter_0.caffemodel")


def test_a_history_of_another_length_is_refused_in_caffes_words(tmp_path: Path) -> None:
    make_solver(f'base_lr: 0.1 snapshot_prefix: "{tmp_path}/s" type: "Adam"').snapshot()
    message = r"Incorrect length of history blobs. \(4 vs. 2\): the state is of another net or of another solver type"
    with pytest.raises(SolverError, match=rf"^{tmp_path}/s_iter_0.solverstate: {message} than SGD"):
        make_solver("base_lr: 0.1").restore(f"{tmp_path}/s_iter_0.solverstate")


def test_a_history_of_another_shape_is_refused(tmp_path: Path) -> None:
    solver = make_solver(f'base_lr: 0.1 snapshot_prefix: "{tmp_path}/s"')
    with pytest.raises(SolverError, match=r"^x: history blob 1 \(ip/1\): expected shape \(3,\), got \(2,\)"):
        solver.updater.restore([np.zeros((3, 4), np.float32), np.zeros(2, np.float32)], "x")


def test_snapshot_diff_adds_what_the_last_update_subtracted(tmp_path: Path) -> None:
    text = f'base_lr: 0.1 snapshot_prefix: "{tmp_path}/s" snapshot_diff: true snapshot_format: '
    for snapshot_format in ("BINARYPROTO", "HDF5"):
        solver = make_solver(text + snapshot_format)
        solver.step(1)
        solver.snapshot()
    steps = [blob.diff for blob in solver.net.params["ip"]]
    assert np.abs(steps[0]).max() > 0
    message = caffe_pb2.NetParameter.FromString((tmp_path / "s_iter_1.caffemodel").read_bytes())
    (layer,) = [layer for layer in message.layer if layer.name == "ip"]
    with h5py.File(tmp_path / "s_iter_1.caffemodel.h5") as file:
        for index, (blob, step) in enumerate(zip(layer.blobs, steps, strict=True)):
            np.testing.assert_array_equal(np.reshape(blob.diff, step.shape), step)
            np.testing.assert_array_equal(file[f"diff/ip/{index}"], step)


def test_without_snapshot_diff_there_are_no_gradients(tmp_path: Path) -> None:
    make_solver(f'snapshot_prefix: "{tmp_path}/s" snapshot_format: HDF5').snapshot()
    with h5py.File(tmp_path / "s_iter_0.caffemodel.h5") as file:
        assert "diff" not in file


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

    monkeypatch.setattr(snapshot, "write_net", refusing)
    monkeypatch.setattr(snapshot, "RETRY_SECONDS", 0.01)
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


def test_a_refused_snapshot_leaves_no_half_that_takes_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    solver = make_solver(f'base_lr: 0.1 snapshot_prefix: "{tmp_path}/s"')
    solver.snapshot()
    solver.step(1)
    monkeypatch.setattr(snapshot, "write_solver_state", refuse)
    with pytest.raises(SnapshotError, match="No space left"):
        solver.snapshot()
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "s_iter_0.caffemodel",
        "s_iter_0.resume.json",
        "s_iter_0.solverstate",
    ]


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
    with pytest.raises(SolverError, match=r"^snapshot_prefix: no file has such a name \(embedded null byte\); set an"):
        make_solver('base_lr: 0.1 snapshot: 1 snapshot_prefix: "a\\000b"')
