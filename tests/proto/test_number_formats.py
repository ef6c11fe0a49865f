"""Numbers as other Caffes store them: in weights, solver states, mean files and HDF5."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import h5py
import numpy as np
import pytest

from caffe_compat.proto import caffe_pb2
from caffe_compat.proto.read import read_blob, read_solver_state, read_weights
from caffe_compat.proto.wire import delimited_key, varint_field

NUMBERS = np.random.default_rng(7).normal(size=(2, 3, 5)).astype(np.float32)
HALVES = NUMBERS.astype(np.float16)


def blob(**fields: Any) -> caffe_pb2.BlobProto:
    message = caffe_pb2.BlobProto(**fields)
    message.shape.dim.extend(NUMBERS.shape)
    return message


def unpacked_doubles() -> caffe_pb2.BlobProto:
    """The message that protobuf makes of double_data without packing."""
    loose = b"".join(b"\x41" + np.float64(number).tobytes() for number in NUMBERS.ravel())
    return caffe_pb2.BlobProto.FromString(loose + blob().SerializeToString())


FORMS: dict[str, tuple[caffe_pb2.BlobProto, np.ndarray]] = {
    "raw float": (blob(raw_data=NUMBERS.tobytes(), raw_data_type="FLOAT"), NUMBERS),
    "raw double": (blob(raw_data=NUMBERS.astype(np.float64).tobytes(), raw_data_type="DOUBLE"), NUMBERS),
    "raw half": (blob(raw_data=HALVES.tobytes(), raw_data_type="FLOAT16"), HALVES),
    "double": (blob(double_data=NUMBERS.astype(np.float64).ravel()), NUMBERS),
    "unpacked double": (unpacked_doubles(), NUMBERS),
}


def weights_with(path: Path, message: caffe_pb2.BlobProto) -> np.ndarray:
    net = caffe_pb2.NetParameter(name="n")
    net.layer.add(name="conv", type="Convolution").blobs.append(message)
    path.write_bytes(net.SerializeToString())
    return read_weights(path).layers[0].blobs[0]


def v1_weights_with(path: Path, message: caffe_pb2.BlobProto) -> np.ndarray:
    net = caffe_pb2.NetParameter(name="n")
    net.layers.add(name="conv", type="CONVOLUTION").blobs.append(message)
    path.write_bytes(net.SerializeToString())
    return read_weights(path).layers[0].blobs[0]


def state_with(path: Path, message: caffe_pb2.BlobProto) -> np.ndarray:
    """A state as SSD and NVIDIA's Caffe write it: they remember the lowest loss, too."""
    state = caffe_pb2.SolverState(iter=7, minimum_loss=0.25, iter_last_event=3, history=[message])
    path.write_bytes(state.SerializeToString())
    read = read_solver_state(path)
    assert read.iter == 7
    return read.history[0]


def mean_with(path: Path, message: caffe_pb2.BlobProto) -> np.ndarray:
    path.write_bytes(message.SerializeToString())
    return read_blob(path)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("read", [weights_with, v1_weights_with, state_with, mean_with])
def test_every_file_holds_every_form(
    tmp_path: Path, form: str, read: Callable[[Path, caffe_pb2.BlobProto], np.ndarray]
) -> None:
    message, expected = FORMS[form]
    array = read(tmp_path / "file", message)
    assert array.dtype == np.float32
    np.testing.assert_array_equal(array, expected.astype(np.float32))


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", "i1", "u1", "i4"])
def test_hdf5_of_any_number_type(tmp_path: Path, dtype: str) -> None:
    numbers = (8 * np.abs(NUMBERS)).astype(dtype)
    with h5py.File(tmp_path / "w.caffemodel.h5", "w") as file:
        file["data/conv/0"] = numbers
    array = read_weights(tmp_path / "w.caffemodel.h5").layers[0].blobs[0]
    assert array.dtype == np.float32
    np.testing.assert_array_equal(array, numbers.astype(np.float32))


def test_what_opencv_shrank(tmp_path: Path) -> None:
    full, shrunk = tmp_path / "full.caffemodel", tmp_path / "shrunk.caffemodel"
    np.testing.assert_array_equal(weights_with(full, blob(data=NUMBERS.ravel())), NUMBERS)
    cv2.dnn.shrinkCaffeModel(str(full), str(shrunk))
    array = read_weights(shrunk).layers[0].blobs[0]
    np.testing.assert_array_equal(array, HALVES.astype(np.float32))


def test_mean_of_c3d(tmp_path: Path) -> None:
    """Five sizes: a clip of 2 frames of 3 x 5, and one channel."""
    path = tmp_path / "mean.binaryproto"
    sizes = b"".join(varint_field(number, size) for number, size in enumerate((1, 1, 2, 3, 5), 1))
    path.write_bytes(sizes + delimited_key(6, NUMBERS.nbytes) + NUMBERS.tobytes())
    np.testing.assert_array_equal(read_blob(path), NUMBERS.reshape(1, 1, 2, 3, 5))
