"""--snapshot=auto takes the newest whole snapshot and says why it passed over newer ones."""

from pathlib import Path

import numpy as np
import pytest

from caffe_compat.errors import SolverError
from caffe_compat.solvers.numbered_snapshots import newest_whole_snapshot, numbered_snapshots
from caffe_compat.solvers.solver import Solver
from tests.solvers.least_squares import make_solver, solver_parameter


@pytest.fixture
def prefix(tmp_path: Path) -> str:
    """Snapshots of iterations 1, 2, 3 and 10."""
    solver = make_solver(f'base_lr: 0.1 momentum: 0.9 snapshot_prefix: "{tmp_path}/s"')
    for iteration in (1, 2, 3, 10):
        solver.step(1)
        solver.schedule.iteration = iteration
        solver.snapshot()
    return f"{tmp_path}/s"


def test_the_newest_is_that_of_the_largest_number(prefix: str) -> None:
    assert [snapshot.iteration for snapshot in numbered_snapshots(prefix)] == [10, 3, 2, 1]
    assert newest_whole_snapshot(prefix) == f"{prefix}_iter_10.solverstate"


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
    kind: str, damage: object, reason: str, prefix: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert callable(damage)
    damage(Path(f"{prefix}_iter_10.{kind}"))
    assert newest_whole_snapshot(prefix) == f"{prefix}_iter_3.solverstate"
    assert f"Passing over {prefix}_iter_10.solverstate: " in caplog.text
    assert reason in caplog.text


def test_nan_weights_are_passed_over(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    solver = Solver(solver_parameter(f'base_lr: 0.1 snapshot_prefix: "{tmp_path}/s"'), on_nan="ignore")
    solver.snapshot()
    solver.schedule.iteration = 1
    solver.net.params["ip"][1].data[1] = np.nan
    solver.snapshot()
    assert newest_whole_snapshot(f"{tmp_path}/s") == f"{tmp_path}/s_iter_0.solverstate"
    assert "s_iter_1.caffemodel: weight blob 1 of layer 'ip' holds 1 NaN or infinite of 3 values" in caplog.text


def test_where_none_is_whole_nothing_is_trained_anew(prefix: str) -> None:
    for snapshot in numbered_snapshots(prefix):
        cut(snapshot.weights)
    with pytest.raises(SolverError, match=r"/s': none of 4 snapshots is whole \(see the warnings above\); move them"):
        newest_whole_snapshot(prefix)
