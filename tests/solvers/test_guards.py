"""Training stops, skips an iteration or goes on where a number is NaN or infinite."""

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch
from google.protobuf import text_format
from torch.utils._python_dispatch import TorchDispatchMode

from caffe_compat.errors import SolverError
from caffe_compat.proto import caffe_pb2
from caffe_compat.solvers import guards
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
    monkeypatch.setattr(guards, "MOST_SKIPPED", 3)
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
    """A gradient may have a norm that overflows; it stays as it is, and the update uses it."""
    solver = make_solver("base_lr: 0.1")
    gradients = solver.net.learnable_gradients()
    for gradient in gradients:
        gradient.fill_(3e38)
    solver.guard.start_iteration()
    assert float(solver.guard.flag()) > 0
    solver.guard.examine(torch.zeros(()))
    assert solver.guard.finding is None
    assert all(bool((gradient == 3e38).all()) for gradient in gradients)


class CountedWaits(TorchDispatchMode):
    """Counts how often a value is brought to the host, for which a GPU would make the host wait."""

    waits = 0

    def __torch_dispatch__(self, function: Any, types: Any, arguments: Any = (), keywords: Any = None) -> Any:
        self.waits += function is torch.ops.aten._local_scalar_dense.default
        return function(*arguments, **(keywords or {}))


def waits_of(policy: str, folder: Path, iterations: int) -> int:
    """How often training waits for the device after the first iteration, which looks at the first labels, too."""
    solver = solver_of(folder, 47, "fast", on_nan=policy)
    solver.step(1)
    with CountedWaits() as counted:
        solver.step(iterations)
    return int(counted.waits)


@pytest.mark.parametrize("policy", ["stop", "skip"])
def test_the_guard_waits_once_per_iteration_for_the_device(policy: str, tmp_path: Path) -> None:
    """An iteration of two passes; a snapshot, which is among them, waits for each weight under every policy."""
    assert waits_of(policy, tmp_path, 4) == waits_of("ignore", tmp_path, 4) + 4


def test_a_skipped_iteration_does_not_move_the_data_or_the_displayed_loss(tmp_path: Path) -> None:
    solver = solver_of(tmp_path, 25, on_nan="skip")  # in the first of two passes of iteration 3
    solver.step(4)
    assert solver.net.steps[0].layer.state()["next"] == 4 * 2 * 4  # iterations, passes, rows
    solver.step(1)
    assert np.isfinite(solver.figures.smoothed_loss.value())


def test_an_unknown_policy_is_refused() -> None:
    with pytest.raises(SolverError, match=r"^--on-nan halt: expected one of: stop, skip, ignore"):
        Solver(solver_parameter("base_lr: 0.1"), on_nan="halt")


def test_a_net_with_nothing_to_learn_is_guarded() -> None:
    net = 'layer { name: "data" type: "DummyData" top: "data" dummy_data_param { shape { dim: 2 dim: 3 } } }'
    solver = Solver(
        text_format.Parse(f'net_param {{ {net} }} base_lr: 0.1 lr_policy: "fixed"', caffe_pb2.SolverParameter())
    )
    solver.step(2)
    assert solver.iteration == 2
