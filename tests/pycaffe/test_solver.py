"""pycaffe's solvers."""

from pathlib import Path

import numpy as np
import pytest

from caffe_compat.errors import SolverError
from caffe_compat.proto.caffe_pb2 import TEST
from caffe_compat.pycaffe.net import Net
from caffe_compat.pycaffe.solver import SOLVERS, SGDSolver, get_solver
from tests.pycaffe.conftest import NET


@pytest.fixture
def solver_file(tmp_path: Path) -> str:
    (tmp_path / "net.prototxt").write_text(NET)
    path = tmp_path / "solver.prototxt"
    path.write_text(
        f"net: '{tmp_path}/net.prototxt' base_lr: 0.02 lr_policy: 'step' stepsize: 2 gamma: 0.1 type: 'Adam' "
        f"test_iter: 3 test_interval: 50 test_initialization: false max_iter: 3 snapshot_prefix: '{tmp_path}/s'"
    )
    return str(path)


def test_the_files_type_is_made(solver_file: str) -> None:
    assert get_solver(solver_file).param.type == "Adam"
    assert type(get_solver(solver_file)) is SOLVERS["Adam"]


@pytest.mark.parametrize("kind", sorted(SOLVERS))
def test_a_class_wins_over_the_files_type(solver_file: str, kind: str) -> None:
    text = Path(solver_file).read_text()
    if kind == "RMSProp":
        Path(solver_file).write_text(text + " rms_decay: 0.9")
    if kind == "AdaDelta":
        Path(solver_file).write_text(text + " momentum: 0.9")
    assert SOLVERS[kind](solver_file).param.type == kind


def test_nets_and_counts(solver_file: str) -> None:
    solver = SGDSolver(solver_file)
    assert (solver.iter, len(solver.test_nets)) == (0, 1)
    assert solver.lr == pytest.approx(0.02)
    solver.step(2)
    assert solver.iter == 2
    assert solver.lr == pytest.approx(0.002)
    solver.solve()
    assert solver.iter == 3
    assert solver.param.max_iter == 3
    assert (solver.test_nets[0].params["fc"][0].data == solver.net.params["fc"][0].data).all()


def test_an_update_moves_the_weights_by_their_diffs(solver_file: str) -> None:
    solver = SGDSolver(solver_file)
    weights = solver.net.params["conv"][0].data
    weights[...] = 1
    solver.net.params["conv"][0].diff[...] = 3
    solver.apply_update()
    np.testing.assert_allclose(weights, 1 - 0.02 * 3, rtol=1e-6)


def test_callbacks_run_around_the_gradients(solver_file: str) -> None:
    solver = SGDSolver(solver_file)
    calls: list[str] = []
    solver.net.after_backward(lambda layer: calls.append(f"back {layer}") if layer == 2 else None)
    solver.add_callback(lambda: calls.append("start"), lambda: calls.append("ready"))
    solver.step(2)
    assert calls == ["start", "back 2", "ready"] * 2


def test_one_function_is_no_callback(solver_file: str) -> None:
    with pytest.raises(SolverError, match=r"^expected two functions, on_start and on_gradients_ready, or an NCCL"):
        SGDSolver(solver_file).add_callback(lambda: None)


def test_snapshots_resume(solver_file: str, tmp_path: Path) -> None:
    solver = SGDSolver(solver_file)
    solver.step(1)
    solver.snapshot()
    again = SGDSolver(solver_file)
    again.restore(str(tmp_path / "s_iter_1.solverstate"))
    assert again.iter == 1
    assert (again.net.params["fc"][0].data == solver.net.params["fc"][0].data).all()


def test_other_nets_share_its_weights(solver_file: str, tmp_path: Path) -> None:
    solver = SGDSolver(solver_file)
    other = Net(str(tmp_path / "net.prototxt"), TEST)
    solver.share_weights(other)
    solver.net.blobs["data"].data[...] = 1
    solver.step(1)
    assert (other.params["fc"][0].data == solver.net.params["fc"][0].data).all()


def test_a_solver_moves_borrowed_weights_by_its_own_gradients(solver_file: str) -> None:
    lender, worker = SGDSolver(solver_file), SGDSolver(solver_file)
    worker.net.share_with(lender.net)
    weight, rate = lender.net.params["fc"][0], worker.lr
    before = weight.data.copy()
    weight.diff[...] = 100
    for blobs in worker.net.params.values():
        for blob in blobs:
            blob.diff[...] = 2
    worker.apply_update()
    assert (weight.diff == 100).all()
    assert float(np.abs(before - weight.data).max()) <= 3 * rate
    assert (before != weight.data).all()
