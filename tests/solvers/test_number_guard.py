"""Training stops, skips or goes on where a number is NaN or infinite."""

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch
from google.protobuf import text_format

from caffe_compat.errors import SolverError
from caffe_compat.proto import caffe_pb2
from caffe_compat.solvers import number_guard
from caffe_compat.solvers.solver import Solver
from tests.solvers.least_squares import make_solver, solver_parameter, weights_of

NET = """
net_param {{
  name: "rows"
  layer {{ name: "rows" type: "HDF5Data" top: "data" top: "target"
    hdf5_data_param {{ source: "{folder}/rows.txt" batch_size: 4 }} }}
  layer {{ name: "bn" type: "BatchNorm" bottom: "data" top: "n" }}
  layer {{ name: "ip" type: "InnerProduct" bottom: "n" top: "y" inner_product_param {{ num_output: 2
    weight_filler {{ type: "gaussian" std: 0.3 }} }} }}
  layer {{ name: "loss" type: "EuclideanLoss" bottom: "y" bottom: "target" top: "loss" }}
}}
base_lr: 0.05 momentum: 0.9 lr_policy: "fixed" random_seed: 3 max_iter: 6 snapshot: 2 snapshot_prefix: "{folder}/s"
iter_size: 2
"""


def solver_of(folder: Path, bad_row: int, engine: str = "exact", **options: Any) -> Solver:
    """A solver on 48 rows, six iterations of two passes, of which one row holds a NaN."""
    random = np.random.RandomState(2)
    data = random.randn(48, 3).astype(np.float32)
    data[bad_row, 1] = np.nan
    with h5py.File(folder / "rows.h5", "w") as file:
        file["data"], file["target"] = data, random.randn(48, 2).astype(np.float32)
    (folder / "rows.txt").write_text(f"{folder}/rows.h5\n")
    text = NET.format(folder=folder)
    return Solver(text_format.Parse(text, caffe_pb2.SolverParameter()), engine, **options)


@pytest.mark.parametrize("engine", ["exact", "fast"])
@pytest.mark.parametrize("bad_row", [25, 29])  # the first and the second pass of iteration 3
def test_a_bad_row_stops_training_and_is_named(bad_row: int, engine: str, tmp_path: Path) -> None:
    solver = solver_of(tmp_path, bad_row, engine)
    message = (
        rf"^Iteration 3: loss = nan. First in blob 'data' of layer 'rows' \(HDF5Data\): 1 NaN and 0 infinite of 12 "
        rf"values. The weights were not changed; the last good snapshot is {tmp_path}/s_iter_2.caffemodel. Lower base_"
    )
    with pytest.raises(SolverError, match=message):
        solver.solve()
    assert solver.iteration == 3
    assert torch.isfinite(torch.cat([one.parameter.flatten() for one in solver.net.learnable][3:])).all()
    assert not (tmp_path / "s_iter_4.caffemodel").exists()


@pytest.mark.parametrize("engine", ["exact", "fast"])
def test_skip_leaves_the_iteration_out(engine: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    solver = solver_of(tmp_path, 25, engine, on_nan="skip")
    solver.step(3)
    before = [one.parameter.detach().clone() for one in solver.net.learnable]
    assert len(before) == 5
    solver.step(1)
    assert all(map(torch.equal, before, [one.parameter for one in solver.net.learnable]))
    assert "Iteration 3 is left out (--on-nan skip): loss = nan. First in blob 'data' of" in caplog.text
    solver.step(2)
    assert solver.iteration == 6
    assert all(torch.isfinite(one.parameter).all() for one in solver.net.learnable)
    assert not torch.equal(before[3], solver.net.learnable[3].parameter)


def test_nothing_but_skipped_iterations_stops_training(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(number_guard, "MOST_SKIPPED", 3)
    solver = Solver(solver_parameter("base_lr: 0.1"), on_nan="skip")
    solver.net.blobs["data"].data[...] = np.inf
    with pytest.raises(SolverError, match=r"^Iteration 2: loss = .*3 iterations in a row were left out: nothing is l"):
        solver.step(5)


def test_ignore_trains_on_as_caffe_does(tmp_path: Path) -> None:
    solver = solver_of(tmp_path, 1, on_nan="ignore")
    solver.step(6)
    assert np.isnan(solver.net.params["ip"][0].data).any()


def test_a_bad_gradient_stops_training_though_the_loss_is_a_number() -> None:
    solver = make_solver("base_lr: 0.1")
    solver.net.blobs["data"].data[...] = 0
    solver.net.blobs["data"].data[2, 1] = 3e38
    solver.net.blobs["target"].data[...] = 0
    solver.net.params["ip"][0].data[...] = 0
    solver.net.params["ip"][1].data[...] = 1e5
    before = weights_of(solver)
    message = (
        r"^Iteration 0: loss = .*First in gradient of weight blob 0 of layer 'ip' \(InnerProduct\): 0 NaN and 3 inf"
    )
    with pytest.raises(SolverError, match=message):
        solver.step(1)
    assert all(map(np.array_equal, before, weights_of(solver)))


def test_bad_weights_are_named_before_blobs() -> None:
    solver = make_solver("base_lr: 0.1")
    solver.net.params["ip"][1].data[2] = np.nan
    with pytest.raises(
        SolverError, match=r"First in weight blob 1 of layer 'ip' \(InnerProduct\): 1 NaN and 0 infinite"
    ):
        solver.step(1)


def test_large_gradients_are_no_bad_numbers() -> None:
    assert number_guard.are_finite([torch.full((4,), 2e38)])  # whose norm is infinite
    assert not number_guard.are_finite([torch.zeros(2), torch.tensor([1.0, -torch.inf])])
    assert number_guard.are_finite([])


def test_an_unknown_policy_is_refused() -> None:
    with pytest.raises(SolverError, match=r"^--on-nan halt: expected one of: stop, skip, ignore"):
        Solver(solver_parameter("base_lr: 0.1"), on_nan="halt")
