"""`extract_features` writes blobs as Datum records."""

import shutil
from pathlib import Path

import lmdb
import numpy as np
import pytest

from caffe_compat.net.build import load_net
from caffe_compat.proto import caffe_pb2
from caffe_compat.solvers.solver_nets import copy_weights
from tests.cli.conftest import Run
from tests.cli.messages import messages


@pytest.fixture
def case(goldens: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(goldens / "bvlc" / "solvers" / "sgd_fixed", tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_record_an_image_and_blob(case: Path, run: Run) -> None:
    status, log = run("extract_features", "s_iter_10.caffemodel", "net.prototxt", "p,y", "p_db,y_db", "2", "lmdb")
    assert status == 0
    assert messages(log)[-1] == "Successfully extracted the features!"
    assert "Extracted features of 16 query images for feature blob y" in messages(log)
    net = load_net("net.prototxt", "TEST")
    copy_weights(net, "s_iter_10.caffemodel")
    for batch in range(2):
        net.forward_range(0, len(net.steps) - 1)
        for name, shape in (("p", (6, 4, 4)), ("y", (4, 1, 1))):
            for number, expected in enumerate(net.blobs[name].data):
                datum = record(case / f"{name}_db", f"{8 * batch + number:010d}")
                assert (datum.channels, datum.height, datum.width) == shape
                np.testing.assert_array_equal(np.array(datum.float_data, np.float32), expected.ravel())


def test_shapes_that_a_datum_has_no_room_for(tmp_path: Path, goldens: Path, run: Run) -> None:
    net = tmp_path / "net.prototxt"
    net.write_text(
        'layer { name: "d" type: "DummyData" top: "deep" top: "flat" dummy_data_param { '
        "shape { dim: [2, 1, 3, 1, 2] } shape { dim: 2 } } }"
    )
    weights = goldens / "bvlc" / "solvers" / "sgd_fixed" / "init.caffemodel"
    assert run("extract_features", weights, net, "flat", tmp_path / "flat", "1", "lmdb")[0] == 0
    assert list(record(tmp_path / "flat", "0000000001").float_data) == [0.0]
    status, log = run("extract_features", weights, net, "deep", tmp_path / "deep", "1", "lmdb")
    assert status == 1
    assert messages(log)[-1].startswith("a Datum holds 3 axes an image, the blob has 4; put a Reshape or Flatten")


def record(path: Path, key: str) -> caffe_pb2.Datum:
    with lmdb.open(str(path), readonly=True, lock=False) as environment, environment.begin() as transaction:
        value = transaction.get(key.encode())
        assert value is not None
        return caffe_pb2.Datum.FromString(value)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["p,y", "db", "1"], "the number of blob names and dataset names must be equal, got 2 and 1"),
        (["nothing", "db", "1"], "Unknown feature blob name nothing in the network net.prototxt; known: data"),
        (["p", "db", "all"], "argument num_mini_batches: expected a whole number from 0 on, found 'all'"),
    ],
)  # fmt: skip
def test_errors(arguments: list[str], message: str, case: Path, run: Run) -> None:
    status, log = run("extract_features", "init.caffemodel", "net.prototxt", *arguments, "lmdb")
    assert status == 2
    assert messages(log)[-1].startswith(message)


def test_six_arguments_are_needed(run: Run) -> None:
    status, log = run("extract_features", "a", "b")
    assert status == 2
    assert "the following arguments are required: extract_feature_blob_name1[,name2,...], save_feature" in log
