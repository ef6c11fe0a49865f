"""Training stops where labels are outside of 0 to 1, and stops, skips or goes on where a number is NaN or infinite."""

from pathlib import Path
from typing import Any

import h5py
import lmdb
import numpy as np
import pytest
import torch
from google.protobuf import text_format
from torch.utils._python_dispatch import TorchDispatchMode

from caffe_compat.data.sources.datums import array_to_datum
from caffe_compat.errors import DataError, SolverError
from caffe_compat.proto import caffe_pb2
from caffe_compat.solvers import guards
from caffe_compat.solvers.solver import Solver
from tests.solvers.least_squares import make_solver, solver_parameter, weights_of

IMAGES, LABELS = 3, 4


def write(path, values):
    """An LMDB of records (C, 1, 1)."""
    path.mkdir()
    with lmdb.open(str(path)) as environment, environment.begin(write=True) as writer:
        for place, row in enumerate(np.asarray(values, np.float32)):
            writer.put(b"%08d" % place, array_to_datum(row.reshape(-1, 1, 1), 0).SerializeToString())


def labelled_solver(tmp_path, labels, loss, engine="exact"):
    write(tmp_path / "data", np.random.default_rng(1).normal(size=(IMAGES, 5)))
    write(tmp_path / "labels", labels)
    net = "".join(
        f'layer {{ name: "{top}" type: "Data" top: "{top}" data_param {{ source: "{tmp_path}/{folder}" backend: LMDB '
        f"batch_size: {IMAGES} }} }}"
        for top, folder in (("data", "data"), ("label", "labels"))
    )
    net += 'layer { name: "y" type: "InnerProduct" bottom: "data" top: "y" inner_product_param { num_output: 4 '
    net += 'weight_filler { type: "xavier" } } }' + loss
    text = f'net_param {{ {net} }} base_lr: 0.1 lr_policy: "fixed" max_iter: 2 snapshot_prefix: "{tmp_path}/s"'
    return Solver(text_format.Parse(text, caffe_pb2.SolverParameter()), engine)


def loss(name="loss", label="label", fields=""):
    bottoms = f'bottom: "y" bottom: "{label}" top: "{name}" {fields}'
    return f'layer {{ name: "{name}" type: "SigmoidCrossEntropyLoss" {bottoms} }}'


IGNORES = "loss_param { ignore_label: -1 }"
MASK = (
    'layer { name: "flat" type: "Flatten" bottom: "label" top: "flat" }'
    'layer { name: "known" type: "Threshold" bottom: "flat" top: "known" threshold_param { threshold: -0.5 } }'
    'layer { name: "target" type: "ReLU" bottom: "flat" top: "target" }'
    'layer { name: "masked" type: "Eltwise" bottom: "y" bottom: "known" top: "masked" eltwise_param { operation: 0 } }'
) + loss(label="target").replace('bottom: "y"', 'bottom: "masked"')


def labels_with(value):
    labels = np.zeros((IMAGES, LABELS))
    labels[0, 1], labels[2, 3] = 1, value
    return labels


@pytest.mark.parametrize("engine", ["exact", "fast"])
@pytest.mark.parametrize(
    ("value", "tail"),
    [
        (255, loss()),
        (-1, loss()),
        (2, loss() + loss("other")),
        (255, loss(fields=IGNORES)),
        (255, MASK),
        (-2, MASK),
        (-1, loss(fields=IGNORES) + loss("other")),
        (float("nan"), loss(fields=IGNORES)),
    ],
)
def test_labels_that_no_loss_expects(tmp_path, engine, value, tail):
    solver = labelled_solver(tmp_path, labels_with(value), tail, engine)
    before = solver.net.params["y"][0].data.copy()
    message = (
        rf"^layer 'label' \(Data\): expected labels from 0 to 1, with which layer '\w+' .* compares, found {value} as"
    )
    with pytest.raises(
        DataError, match=message + " label 3 of record 2; write the labels as 0 and 1, or unknown ones a"
    ):
        solver.step(1)
    np.testing.assert_array_equal(solver.net.params["y"][0].data, before)


@pytest.mark.parametrize("engine", ["exact", "fast"])
@pytest.mark.parametrize(
    ("value", "tail"),
    [
        (1, loss()), (0.3, loss()), (-1, loss(fields=IGNORES)), (-1.5, loss(fields=IGNORES)), (-1, MASK),
        (255, 'layer { name: "loss" type: "EuclideanLoss" bottom: "y" bottom: "flat" top: "loss" }'),
        (255, loss() + 'layer { name: "sum" type: "Reduction" bottom: "label" top: "sum" }'),
    ],
)  # fmt: skip
def test_labels_that_are_expected_and_numbers_that_are_no_labels(tmp_path, engine, value, tail):
    if "Euclidean" in tail:
        tail = 'layer { name: "flat" type: "Flatten" bottom: "label" top: "flat" }' + tail
    solver = labelled_solver(tmp_path, labels_with(value), tail, engine)
    solver.step(1)
    assert solver.iteration == 1


def test_only_the_first_batch_is_looked_at(tmp_path):
    solver = labelled_solver(tmp_path, labels_with(1), loss())
    solver.step(1)
    for step in solver.net.steps:
        step.layer.last_tops = None  # would raise if it were called again
    solver.step(1)
    assert solver.iteration == 2


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
    assert np.isfinite(solver._smoothed_loss.value())


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
