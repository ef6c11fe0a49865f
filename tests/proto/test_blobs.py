from typing import Any, cast

import numpy as np
import pytest

from caffe_compat.errors import FormatError
from caffe_compat.proto import caffe_pb2
from caffe_compat.proto.blobs import NET_BLOBS, blob_shape, decode_blob, encode_blob, has_gradient, put_back, take_out
from caffe_compat.proto.wire import delimited_key, varint_field


def encoded(**fields: Any) -> bytes:
    shape = fields.pop("shape", None)
    message = caffe_pb2.BlobProto(**fields)
    if shape is not None:
        message.shape.dim.extend(shape)
    return message.SerializeToString()


def decoded(data: bytes) -> np.ndarray:
    return decode_blob(data, (0, len(data)))


NUMBERS = np.random.default_rng(3).normal(size=(2, 3, 5)).astype(np.float32)


def test_packed_floats_are_a_view_on_the_file() -> None:
    data = encoded(data=NUMBERS.ravel(), shape=NUMBERS.shape)
    blob = decoded(data)
    np.testing.assert_array_equal(blob, NUMBERS)
    assert not blob.flags.writeable
    assert np.shares_memory(blob, np.frombuffer(data, np.uint8))


def test_written_as_protobuf_writes_it() -> None:
    assert b"".join(encode_blob(NUMBERS)) == encoded(data=NUMBERS.ravel(), shape=NUMBERS.shape)


def test_numbers_of_another_type_and_layout_are_written_as_float32() -> None:
    backwards = NUMBERS.astype(np.float64).transpose(2, 0, 1)
    np.testing.assert_array_equal(decoded(b"".join(encode_blob(cast(Any, backwards)))), backwards)


@pytest.mark.parametrize("shape", [(), (0,), (4, 0, 2), (1,)])
def test_unusual_shapes_there_and_back(shape: tuple[int, ...]) -> None:
    array = np.full(shape, 2.5, np.float32)
    blob = decoded(b"".join(encode_blob(array)))
    assert blob.shape == shape
    np.testing.assert_array_equal(blob, array)


def unpacked(numbers: np.ndarray) -> bytes:
    return b"".join(b"\x2d" + np.float32(number).tobytes() for number in numbers)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(unpacked(NUMBERS.ravel()), id="unpacked"),
        pytest.param(encoded(double_data=NUMBERS.ravel().astype(np.float64)), id="doubles"),
        pytest.param(encoded(data=NUMBERS.ravel()[:7]) + encoded(data=NUMBERS.ravel()[7:]), id="two packed runs"),
        pytest.param(encoded(data=NUMBERS.ravel()[:7]) + unpacked(NUMBERS.ravel()[7:]), id="packed, then unpacked"),
        pytest.param(unpacked(NUMBERS.ravel()[:7]) + encoded(data=NUMBERS.ravel()[7:]), id="unpacked, then packed"),
        pytest.param(encoded(data=NUMBERS.ravel(), diff=NUMBERS.ravel(), double_diff=[1.0]), id="with gradients"),
    ],
)
def test_every_form_of_numbers(data: bytes) -> None:
    np.testing.assert_array_equal(decoded(data + encoded(shape=NUMBERS.shape)), NUMBERS)


RAW_DTYPES = {"DOUBLE": "<f8", "FLOAT": "<f4", "FLOAT16": "<f2"}


@pytest.mark.parametrize("name", RAW_DTYPES)
@pytest.mark.parametrize("says_its_type", [True, False])
def test_raw_data_of_nvidias_caffe_and_opencv(name: str, says_its_type: bool) -> None:
    kind = {"raw_data_type": name} if says_its_type else {}
    data = encoded(raw_data=NUMBERS.astype(RAW_DTYPES[name]).tobytes(), shape=NUMBERS.shape, **kind)
    expected = NUMBERS.astype(RAW_DTYPES[name]).astype(np.float32)
    blob = decoded(data)
    assert blob.dtype == np.float32
    np.testing.assert_array_equal(blob, expected)


@pytest.mark.parametrize(("name", "dtype"), [("INT", "<i4"), ("UINT", "<u4"), ("BOOL", "u1")])
def test_raw_integers(name: str, dtype: str) -> None:
    whole = np.array([[3, 0, 1], [1, 2, 5]], dtype)
    data = encoded(raw_data=whole.tobytes(), raw_data_type=name, shape=whole.shape)
    np.testing.assert_array_equal(decoded(data), whole)


def test_raw_gradients_are_left_out_and_noticed() -> None:
    halves = {"raw_diff": b"12" * NUMBERS.size, "raw_diff_type": "FLOAT16"}
    data = encoded(raw_data=NUMBERS.tobytes(), raw_data_type="FLOAT", shape=NUMBERS.shape, **halves)
    np.testing.assert_array_equal(decoded(data), NUMBERS)
    assert has_gradient(data, (0, len(data)))


def c3d(*sizes: int, data: np.ndarray) -> bytes:
    """A BlobProto of C3D 1.0: five sizes, then packed floats where BVLC has the gradient."""
    body = b"".join(varint_field(number, size) for number, size in enumerate(sizes, 1))
    return body + delimited_key(6, data.nbytes) + data.tobytes()


@pytest.mark.parametrize(
    ("sizes", "shape"),
    [((2, 1, 3, 5, 1), (2, 1, 3, 5, 1)), ((1, 1, 1, 6, 5), (1, 1, 6, 5)), ((1, 1, 1, 1, 30), (1, 1, 1, 30))],
)
def test_blobs_of_c3d_have_five_sizes(sizes: tuple[int, ...], shape: tuple[int, ...]) -> None:
    blob = decoded(c3d(*sizes, data=NUMBERS))
    assert blob.shape == shape
    np.testing.assert_array_equal(blob.ravel(), NUMBERS.ravel())


def test_old_shape_has_four_axes_and_wins() -> None:
    data = encoded(data=NUMBERS.ravel(), num=2, channels=3, height=5, width=1)
    assert decoded(data).shape == (2, 3, 5, 1)
    message = caffe_pb2.BlobProto(num=6)
    message.shape.dim.extend([2, 3])
    assert blob_shape(message) == (6, 0, 0, 0)


def test_structure_and_blobs_make_the_same_bytes_again() -> None:
    net = caffe_pb2.NetParameter(name="n")
    for name in "ab":
        layer = net.layer.add(name=name, type="X", phase=1)
        layer.blobs.add(data=[1, 2, 3]).shape.dim.append(3)
    net.layers.add(name="v1").blobs.add(data=[4]).shape.dim.append(1)
    net.layers.add().layer.blobs.add(data=[5, 6]).shape.dim.append(2)
    data = net.SerializeToString(deterministic=True)
    structure, places = take_out(data, NET_BLOBS)
    blobs = [decode_blob(data, place) for place in places]
    assert [blob.tolist() for blob in blobs] == [[4], [5, 6], [1, 2, 3], [1, 2, 3]]
    assert [blob.num for layer in caffe_pb2.NetParameter.FromString(structure).layer for blob in layer.blobs] == [2, 3]
    assert b"".join(put_back(structure, NET_BLOBS, blobs)) == data


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (encoded(data=[1, 2, 3], shape=(2, 2)), r"^byte 0: a blob of shape \(2, 2\) holds 3 numbers, not 4"),
        (encoded(shape=(2**40, 2**40)), r"^byte 0: a blob of shape .* holds 0 numbers, not 1208925819614629174706176"),
        (encoded(data=[1, 2]), r"^byte 0: a blob of shape \(\) holds 2 numbers, not 1"),
        (b"\x2a\x03abc", "^byte 0: 3 bytes of float32 are not a multiple of 4"),
        (b"\x42\x03abc", r"^not a BlobProto \("),
        (encoded(raw_data=b"abc", raw_data_type="FLOAT16", shape=(2,)), r"^byte \d: 3 bytes of raw_data are no mul"),
        (encoded(raw_data=b"abcd", raw_data_type="FLOAT16", shape=(3,)), r"of shape \(3,\) holds 2 numbers, not 3"),
        (encoded(raw_data=b"abcde", shape=(3,)), r"^byte \d: 5 bytes of raw_data are no multiple of 4 \(FLOAT\)"),
        (c3d(1, 2, 3, 5, 7, data=NUMBERS), r"^byte 0: a blob of shape \(1, 2, 3, 5, 7\) holds 30 numbers, not 210"),
    ],
)
def test_refuses_blobs_that_do_not_add_up(data: bytes, message: str) -> None:
    with pytest.raises(FormatError, match=message):
        decoded(data)


@pytest.mark.parametrize(
    ("fields", "found"),
    [
        ({"shape": (-2, -3)}, r"2 axes of \(-2, -3\)"),
        ({"num": -2, "channels": -3, "height": 1, "width": 1}, r"4 axes of \(-2, -3, 1, 1\)"),
        ({"shape": (1,) * 39 + (6,)}, r"40 axes of \(1, 1, 1, 1, 1, 1, 1, 1\)"),
    ],
)
def test_shapes_that_no_blob_has_are_refused(fields: dict[str, Any], found: str) -> None:
    with pytest.raises(
        FormatError, match=rf"^byte 0: expected a blob of at most 32 axes with sizes .*, found {found}$"
    ):
        decoded(encoded(data=range(6), **fields))
