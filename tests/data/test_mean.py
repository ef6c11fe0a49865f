"""Mean files."""

from pathlib import Path

import numpy as np
import pytest

from caffe_compat.data.mean import read_mean
from caffe_compat.errors import DataError
from caffe_compat.proto import caffe_pb2

VALUES = np.arange(24, dtype=np.float32)


def write(path: Path, blob: caffe_pb2.BlobProto) -> str:
    path.write_bytes(blob.SerializeToString())
    return str(path)


def test_reads_legacy_and_new_shapes(tmp_path: Path) -> None:
    legacy = caffe_pb2.BlobProto(num=1, channels=2, height=3, width=4, data=VALUES)
    new = caffe_pb2.BlobProto(shape=caffe_pb2.BlobShape(dim=[2, 3, 4]), double_data=VALUES)
    for number, blob in enumerate((legacy, new)):
        assert np.array_equal(read_mean(write(tmp_path / str(number), blob), "layer"), VALUES.reshape(2, 3, 4))


def test_refuses_what_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=rf"^layer: cannot open mean_file '{tmp_path}/none': No such file"):
        read_mean(f"{tmp_path}/none", "layer")


def test_refuses_other_files(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("not a blob at all")
    with pytest.raises(DataError, match=r"^layer: mean_file '.*' is not a BlobProto; make it with compute_image_mean"):
        read_mean(str(tmp_path / "text"), "layer")


def test_refuses_several_images(tmp_path: Path) -> None:
    path = write(tmp_path / "two", caffe_pb2.BlobProto(num=2, channels=3, height=4, width=1, data=VALUES))
    with pytest.raises(
        DataError, match=r"^layer: mean_file '.*' holds 24 values of shape \(2, 3, 4, 1\), expected one"
    ):
        read_mean(path, "layer")
