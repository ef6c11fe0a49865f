"""Datum databases as a source."""

import logging
from pathlib import Path

import cv2
import lmdb
import numpy as np
import pytest

from caffe_compat.data.datum import array_to_datum
from caffe_compat.data.draws import Draws
from caffe_compat.data.sources.datums import Datums
from caffe_compat.errors import DataError
from tests.data.made_files import picture, raw_lmdb, write_lmdb


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
