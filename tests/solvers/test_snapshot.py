"""Snapshots of real Caffes are resumed, and wrong files refused in Caffe's words."""

import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest

from caffe_compat.errors import SolverError
from caffe_compat.proto import caffe_pb2
from caffe_compat.proto.read import SolverState, read_solver, read_solver_state
from caffe_compat.proto.write import write_solver_state
from caffe_compat.solvers.solver import Solver
from tests.solvers.least_squares import make_solver, weights_of
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
