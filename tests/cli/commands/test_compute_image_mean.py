"""`compute_image_mean` writes the file that Caffe's tool wrote."""

from pathlib import Path

import numpy as np
import pytest

from caffe_compat.data.lmdb_writer import LmdbWriter
from caffe_compat.data.sources.datums import array_to_datum
from tests.cli.conftest import Run
from tests.cli.messages import messages


def test_the_mean_is_caffes_byte_for_byte(goldens: Path, tmp_path: Path, run: Run) -> None:
    data = goldens / "bvlc" / "data"
    status, log = run("compute_image_mean", "-backend=lmdb", data / "raw_lmdb", tmp_path / "mean.binaryproto")
    assert status == 0
    assert (tmp_path / "mean.binaryproto").read_bytes() == (data / "mean.binaryproto").read_bytes()
    assert messages(log) == [
        "Starting iteration",
        "Processed 7 files.",
        f"Write to {tmp_path}/mean.binaryproto",
        "Number of channels: 3",
        "mean_value channel [0]: 124.557",
        "mean_value channel [1]: 130.363",
        "mean_value channel [2]: 122.28",
    ]


def test_records_of_another_size_are_an_error(tmp_path: Path, run: Run) -> None:
    with LmdbWriter(str(tmp_path / "db")) as database:
        for number, width in enumerate((4, 5)):
            database.put(b"%d" % number, array_to_datum(np.zeros((2, 3, width), np.float32)))
    status, log = run("compute_image_mean", tmp_path / "db")
    assert status == 1
    assert messages(log)[-1].startswith("compute_image_mean: Incorrect data field size 30: record 1")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "the following arguments are required: INPUT_DB"),
        (["a", "b", "c"], "unexpected argument 'c'"),
        (
            ["a", "--backend=lmbd"],
            "argument --backend: invalid choice: 'lmbd' (choose from lmdb, leveldb); did you mean",
        ),
    ],
)
def test_wrong_command_lines(arguments: list[str], message: str, run: Run) -> None:
    status, log = run("compute_image_mean", *arguments)
    assert status == 2
    assert messages(log)[0].startswith(message)
