"""Losses and weights of training equal those of two real Caffes."""

from pathlib import Path

import numpy as np
import pytest

from caffe_compat.proto.read import read_solver
from caffe_compat.solvers.solver import Solver
from caffe_compat.solvers.solver_nets import copy_weights
from tests.solvers.recorded import CASES, GOLDENS, prepared

# The bias under BatchNorm has a gradient of zero. AdaGrad and Adam divide what rounding leaves of it by its own size,
# so that the bias walks at random, in real Caffe too, and the running mean after it.
RANDOM_WALKS = {
    ("bvlc", "adagrad"): {"conv/1", "bn/0"},
    ("bvlc", "adam"): {"conv/1", "bn/0"},
    ("srn_fork", "adagrad"): {"conv/1", "bn/2"},
}


def close(got: np.ndarray, want: np.ndarray, tolerance: float) -> bool:
    return bool(np.abs(got.ravel() - want.ravel()).max() <= tolerance * max(1e-2, np.abs(want).max()))


@pytest.mark.parametrize("engine", ["exact", "fast"])
@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.parts[-3]}-{case.name}")
def test_training_equals_real_caffe(case: Path, engine: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(prepared(case, tmp_path))
    run = np.load("run.npz")
    walks = RANDOM_WALKS.get((case.parts[-3], case.name), set())
    solver = Solver(read_solver("solver.prototxt"), engine)
    copy_weights(solver.net, "init.caffemodel")
    losses = []
    for _ in run["loss"]:
        solver.step(1)
        losses.append(float(solver.net.blobs["loss"].value.tensor()))
    assert close(np.array(losses[:5]), run["loss"][:5], 1e-4)
    assert close(np.array(losses), run["loss"], 1e-2)  # rounding grows over 25 iterations
    for key in run.files:
        if key.startswith("final/") and key[6:] not in walks:
            layer, index = key[6:].rsplit("/", 1)
            assert close(solver.net.params[layer][int(index)].data, run[key], 1e-3), key


@pytest.mark.parametrize("step", [1, 2, 3, 4])
def test_the_papers_four_steps_equal_real_caffe(step: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    case = GOLDENS / "bvlc" / "stages" / "mini_srn"
    monkeypatch.chdir(case / f"step_{step}")
    run = np.load("run.npz")
    solver = Solver(read_solver("solver.prototxt"))
    copy_weights(solver.net, "init.caffemodel")
    before = {name: [blob.data.copy() for blob in blobs] for name, blobs in solver.net.params.items()}
    solver.step(15)
    for key in (key for key in run.files if key.startswith("final/")):
        layer, index = key[6:].rsplit("/", 1)
        got, first = solver.net.params[layer][int(index)].data, before[layer][int(index)]
        if np.array_equal(first.ravel(), run[key].ravel()):
            assert np.array_equal(got, first), f"{key} is fixed but moved"
        assert close(got, run[key], 5e-3), key
