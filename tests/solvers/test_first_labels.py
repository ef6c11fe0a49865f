"""Training stops where the first batch has labels outside of 0 to 1 that no loss expects."""

import lmdb
import numpy as np
import pytest
from google.protobuf import text_format

from caffe_compat.data.sources.datums import array_to_datum
from caffe_compat.errors import DataError
from caffe_compat.proto import caffe_pb2
from caffe_compat.solvers.solver import Solver

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
