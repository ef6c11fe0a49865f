"""Datum messages."""

import logging
from pathlib import Path

import cv2
import lmdb
import numpy as np
import pytest

from caffe_compat.data.draws import Draws
from caffe_compat.data.sources.datums import (
    Datums,
    array_to_datum,
    datum_pixels,
    datum_to_array,
    decode_image,
    encoded_datum,
    image_to_datum,
    parse_datum,
    record_key,
)
from caffe_compat.errors import DataError, ShapeError
from caffe_compat.proto import caffe_pb2
from tests.data.made_files import picture, raw_lmdb, write_lmdb


def test_keys() -> None:
    assert record_key(123, "a b/c.jpg") == b"00000123_a b/c.jpg"


def test_images_and_arrays_there_and_back() -> None:
    image = picture(4, 5)
    datum = parse_datum(memoryview(image_to_datum(image, 7).SerializeToString()), "record")
    assert (datum.channels, datum.height, datum.width, datum.label, datum.encoded) == (3, 4, 5, 7, False)
    assert np.array_equal(datum_pixels(datum, cv2.IMREAD_UNCHANGED, "record"), image)
    assert np.array_equal(datum_to_array(datum), image.transpose(2, 0, 1))
    assert image_to_datum(image[..., 0]).channels == 1


def test_floats_there_and_back() -> None:
    labels = np.array([1, 0, 0.5], np.float32).reshape(3, 1, 1)
    datum = array_to_datum(labels, 2)
    assert not datum.data
    assert np.array_equal(datum_to_array(datum), labels)
    assert datum_pixels(datum, cv2.IMREAD_UNCHANGED, "record").shape == (1, 1, 3)
    assert not array_to_datum(labels).HasField("label")


@pytest.mark.parametrize(
    ("flag", "channels"), [(cv2.IMREAD_UNCHANGED, 3), (cv2.IMREAD_COLOR, 3), (cv2.IMREAD_GRAYSCALE, 1)]
)
def test_encoded(flag: int, channels: int) -> None:
    image = picture(6, 7)
    datum = encoded_datum(cv2.imencode(".png", image)[1].tobytes(), 3)
    pixels = datum_pixels(datum, flag, "record")
    assert pixels.shape == (6, 7, channels)
    assert channels == 1 or np.array_equal(pixels, image)
    assert (datum.label, encoded_datum(b"x").HasField("label")) == (3, False)


def test_refuses_other_messages() -> None:
    with pytest.raises(DataError, match=r"^record: not a Datum \(4 bytes\); the record is corrupt or of another kind"):
        parse_datum(b"\xff\xff\xff\xff", "record")


@pytest.mark.parametrize("encoded", [b"", b"no image"])
def test_refuses_what_does_not_decode(encoded: bytes) -> None:
    with pytest.raises(DataError, match=rf"^record: could not decode the image \({len(encoded)} bytes\)"):
        decode_image(encoded, cv2.IMREAD_COLOR, "record")


def test_refuses_sixteen_bits() -> None:
    encoded = cv2.imencode(".png", picture(3, 4).astype(np.uint16))[1].tobytes()
    with pytest.raises(DataError, match=r"^record: image data type must be unsigned byte, found uint16; convert it"):
        decode_image(encoded, cv2.IMREAD_UNCHANGED, "record")
    with pytest.raises(DataError, match=r"^image data type must be unsigned byte, found float64"):
        image_to_datum(np.zeros((3, 4, 3)))


def test_refuses_sizes_that_lie() -> None:
    datum = caffe_pb2.Datum(channels=3, height=2, width=2, data=b"12345")
    with pytest.raises(DataError, match=r"^record: the Datum says \(3, 2, 2\) \(channels, height, width\) but holds 5"):
        datum_pixels(datum, cv2.IMREAD_UNCHANGED, "record")
    with pytest.raises(DataError, match=r"^datum: the Datum says \(0, 0, 0\)"):
        datum_to_array(caffe_pb2.Datum())


def test_refuses_other_axes() -> None:
    with pytest.raises(ShapeError, match=r"^a Datum holds 3 axes \(channels, height, width\), got an array of shape"):
        array_to_datum(np.zeros((3, 4)))


def test_images_and_labels(tmp_path: Path) -> None:
    pictures = [picture(2, 3, seed=number) for number in range(3)]
    source = Datums(str(raw_lmdb(tmp_path / "db", pictures)), "LMDB", cv2.IMREAD_UNCHANGED, "layer")
    assert len(source) == 3
    for number, record in zip((2, 0), source.fetch([2, 0]), strict=True):
        item = source.load(record, Draws())
        assert np.array_equal(item.pixels, pictures[number])
        assert item.label == 10 + number
    assert source.key(1) == b"00000001_1.png"
    assert np.array_equal(source.first().pixels, pictures[0])
    source.close()


def test_float_labels(tmp_path: Path) -> None:
    labels = np.array([0, 1, 1, 0], np.float32)
    path = write_lmdb(tmp_path / "db", [array_to_datum(labels.reshape(4, 1, 1), 2)])
    item = Datums(str(path), "LMDB", cv2.IMREAD_UNCHANGED, "layer").first()
    assert (item.pixels.ravel().tolist(), item.label) == (labels.tolist(), 2)


def test_colour_flags_are_for_encoded_records(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = raw_lmdb(tmp_path / "db", [picture(2, 3)])
    with caplog.at_level(logging.WARNING, "caffe_compat"):
        assert Datums(str(path), "LMDB", cv2.IMREAD_GRAYSCALE, "layer").first().pixels.shape == (2, 3, 3)
    assert f"layer: force_color and force_gray only for encoded datum; '{path}' is raw" in caplog.messages


def test_a_corrupt_record_is_named(tmp_path: Path) -> None:
    environment = lmdb.open(str(tmp_path))
    with environment.begin(write=True) as transaction:
        transaction.put(b"00000000_a", b"\xff\xff\xff")
    environment.close()
    source = Datums(str(tmp_path), "LMDB", cv2.IMREAD_UNCHANGED, "layer")
    with pytest.raises(DataError, match=rf"^layer: record '00000000_a' of '{tmp_path}': not a Datum \(3 bytes\)"):
        source.first()
