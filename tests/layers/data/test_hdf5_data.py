"""HDF5Data."""

from pathlib import Path

import h5py
import numpy as np
import pytest

from caffe_compat.errors import FieldError
from tests.layers.data.made_layers import assert_resumes, labels, make_layer


@pytest.fixture
def source(tmp_path: Path) -> str:
    for number, rows in enumerate((range(4), range(4, 7))):
        with h5py.File(tmp_path / f"{number}.h5", "w") as file:
            file["image"] = np.multiply.outer(np.array(rows, np.float32), np.ones((2, 5), np.float32))
            file["label"] = np.array(rows, np.float32)
    (tmp_path / "list.txt").write_text(f"{tmp_path}/0.h5\n{tmp_path}/1.h5\n")
    return f"{tmp_path}/list.txt"


def text(source: str, batch_size: int = 3, more: str = "") -> str:
    return (
        "type: 'HDF5Data' top: 'image' top: 'label'"
        f" hdf5_data_param {{ source: '{source}' batch_size: {batch_size} {more} }}"
    )


def test_reads_rows_in_order(source: str) -> None:
    layer = make_layer(text(source))
    assert layer.top_shapes() == [(3, 2, 5), (3,)]
    assert labels(layer, 3) == [0, 1, 2, 3, 4, 5, 6, 0, 1]
    image, label = layer()
    assert image[1].eq(label[1]).all()


def test_shuffles(source: str) -> None:
    found = labels(make_layer(text(source, 7, "shuffle: true")), 2)
    assert sorted(found[:7]) == sorted(found[7:]) == list(range(7))
    assert found[:7] != found[7:]


def test_processes_share_out_the_rows(source: str) -> None:
    found = [labels(make_layer(text(source, 2), rank=rank, world_size=2), 2) for rank in range(2)]
    assert found == [[0, 2, 4, 6], [1, 3, 5, 0]]


def test_resumes(source: str) -> None:
    made = text(source, 4, "shuffle: true")
    assert_resumes(make_layer(made), make_layer(made, seed=9))


def test_refuses_transforms_and_empty_batches(source: str) -> None:
    with pytest.raises(
        FieldError, match=r"^layer 'data' \(HDF5Data\): HDF5Data does not transform data; drop transform_"
    ):
        make_layer(text(source) + " transform_param { scale: 2 }")
    with pytest.raises(FieldError, match=r"^layer 'data' \(HDF5Data\): positive batch size required, got 0"):
        make_layer(text(source, 0))
