"""HDF5Output."""

import os
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from google.protobuf import text_format

from caffe_compat.errors import DataError, ShapeError
from caffe_compat.layers.data.hdf5_output import HDF5Output
from caffe_compat.layers.spec import LayerSpec
from caffe_compat.proto import caffe_pb2


def output(path: Path) -> HDF5Output:
    text = f"name: 'out' type: 'HDF5Output' bottom: 'a' bottom: 'b' hdf5_output_param {{ file_name: '{path}' }}"
    return HDF5Output(LayerSpec(text_format.Parse(text, caffe_pb2.LayerParameter()), "TEST"))


def test_writes_and_adds_rows(tmp_path: Path) -> None:
    layer = output(tmp_path / "out.h5")
    assert layer.top_shapes((2, 3, 4), (2,)) == []
    data, labels = torch.randn(5, 3, 4, generator=torch.Generator().manual_seed(0)), torch.arange(5.0)
    assert layer(data[:2], labels[:2]) == ()
    layer(data[2:].requires_grad_(), labels[2:])
    layer.close()
    with h5py.File(tmp_path / "out.h5") as file:
        assert np.array_equal(file["data"], data.numpy()[..., None])
        assert np.array_equal(file["label"], labels.numpy().reshape(5, 1, 1, 1))
        assert file["data"].dtype == np.float32


def test_writes_half_precision_as_float32(tmp_path: Path) -> None:
    layer = output(tmp_path / "out.h5")
    layer(torch.full((2, 3), 1.5, dtype=torch.bfloat16), torch.arange(2.0))
    layer.close()
    with h5py.File(tmp_path / "out.h5") as file:
        assert np.array_equal(file["data"], np.full((2, 3, 1, 1), 1.5, np.float32))
        assert file["data"].dtype == np.float32


def test_refuses_unequal_rows_and_bad_paths(tmp_path: Path) -> None:
    layer = output(tmp_path / "out.h5")
    with pytest.raises(
        ShapeError, match=r"^layer 'out' \(HDF5Output\): data and label need equal numbers of rows, got 2"
    ):
        layer(torch.zeros(2, 3), torch.zeros(3))
    layer.close()
    with pytest.raises(
        DataError, match=r"^layer 'out' \(HDF5Output\): cannot write HDF5 file '.*none/out.h5': No such f"
    ):
        output(tmp_path / "none" / "out.h5")


def test_a_pipe_is_no_place_to_write(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(DataError, match=r"cannot write HDF5 file '.*/pipe': expected a file to write, found a pipe"):
        output(tmp_path / "pipe")


def test_a_full_disk_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    layer = output(tmp_path / "out.h5")

    def refuse(file: h5py.File) -> None:
        raise RuntimeError("Unable to flush file's cached information (file write failed: time = Mon\n, errno = 28, "
                           "error message = 'No space left on device', buf = 0x1)")  # fmt: skip

    with monkeypatch.context() as full:
        full.setattr(h5py.File, "flush", refuse)
        with pytest.raises(DataError, match=r"/out.h5': No space left on device; make room, or name another"):
            layer(torch.zeros(2, 3), torch.zeros(2))
    layer.close()
