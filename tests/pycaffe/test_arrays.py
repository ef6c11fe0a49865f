"""Messages as arrays and back."""

import pickle

import numpy as np
import pytest

from caffe_compat.errors import ShapeError
from caffe_compat.proto import caffe_pb2
from caffe_compat.pycaffe import io

RANDOM = np.random.RandomState(7)


def test_blobs_of_any_number_of_axes() -> None:
    array, diff = RANDOM.randn(2, 3, 5, 1, 4).astype(np.float32), RANDOM.randn(2, 3, 5, 1, 4).astype(np.float32)
    blob = io.array_to_blobproto(array, diff)
    assert (io.blobproto_to_array(blob) == array).all()
    assert (io.blobproto_to_array(blob, return_diff=True) == diff).all()
    assert io.blobproto_to_array(blob).dtype == np.float64


def test_the_old_shape_has_four_axes() -> None:
    blob = caffe_pb2.BlobProto(num=1, channels=2, height=3, data=range(6))
    blob.width = 1
    assert io.blobproto_to_array(blob).tolist() == [[[[0], [1], [2]], [[3], [4], [5]]]]


def test_a_blob_without_shape_is_one_number() -> None:
    assert io.blobproto_to_array(caffe_pb2.BlobProto(data=[123])) == 123
    with pytest.raises(ValueError, match=r"^expected a blob of 1 numbers \(\), got 4"):
        io.blobproto_to_array(caffe_pb2.BlobProto(data=range(4)))


def test_a_diff_has_the_datas_shape() -> None:
    with pytest.raises(ShapeError, match=r"^expected a diff of shape \(2, 3\), as the data, got \(3, 2\)"):
        io.array_to_blobproto(np.zeros((2, 3)), np.zeros((3, 2)))


def test_lists_of_arrays_are_serialized() -> None:
    arrays = [RANDOM.randn(2, 3).astype(np.float32), RANDOM.randn(4).astype(np.float32)]
    restored = io.blobprotovector_str_to_arraylist(io.arraylist_to_blobprotovector_str(arrays))
    assert all((before == after).all() for before, after in zip(arrays, restored, strict=True))


def test_messages_can_be_pickled() -> None:
    vector = caffe_pb2.BlobProtoVector.FromString(io.arraylist_to_blobprotovector_str([RANDOM.randn(2, 3)]))
    assert pickle.loads(pickle.dumps(vector)) == vector


@pytest.mark.parametrize("kind", [np.uint8, np.float32])
def test_datums(kind: type) -> None:
    array: np.ndarray = RANDOM.randint(0, 256, (3, 4, 5)).astype(kind)
    datum = io.array_to_datum(array, label=6)
    assert datum.label == 6
    assert bool(datum.data) == (kind is np.uint8)
    restored = io.datum_to_array(datum)
    assert (restored == array).all()
    assert restored.dtype == (np.uint8 if kind is np.uint8 else np.float64)


def test_a_datum_without_label_has_no_such_field() -> None:
    assert not io.array_to_datum(np.zeros((1, 2, 3))).HasField("label")


def test_a_datum_has_three_axes() -> None:
    with pytest.raises(
        ValueError, match=r"^incorrect array shape: expected 3 axes \(channels, height, width\), got \(2,"
    ):
        io.array_to_datum(np.zeros((2, 3)))


def test_an_encoded_datum_is_no_array() -> None:
    datum = io.array_to_datum(np.zeros((1, 2, 3), np.uint8))
    datum.encoded = True
    with pytest.raises(ValueError, match=r"^the Datum is encoded: an image file; read it by cv2\.imdecode"):
        io.datum_to_array(datum)


def test_a_datum_of_another_size_is_a_value_error() -> None:
    datum = io.array_to_datum(np.zeros((1, 2, 3), np.uint8))
    datum.width = 4
    with pytest.raises(ValueError, match=r"the Datum says \(1, 2, 4\) .* but holds 6 values"):
        io.datum_to_array(datum)
