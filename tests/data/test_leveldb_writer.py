"""New LevelDB folders."""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

from caffe_compat.data.leveldb_writer import LevelDbWriter
from caffe_compat.data.sources.datums import array_to_datum
from caffe_compat.data.sources.leveldb import LevelDb
from caffe_compat.errors import DataError, MissingFeatureError

HAS_PLYVEL = importlib.util.find_spec("plyvel") is not None


def test_a_folder_that_exists_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=rf"^LevelDB '{tmp_path}' exists already; remove it or name another folder"):
        LevelDbWriter(str(tmp_path))


def test_without_plyvel_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "plyvel", None)
    with pytest.raises(
        MissingFeatureError, match=rf"^writing LevelDB '{tmp_path}/db' needs the package plyvel; install"
    ):
        LevelDbWriter(f"{tmp_path}/db")


@pytest.mark.skipif(not HAS_PLYVEL, reason="needs plyvel")
def test_records_are_read_back(tmp_path: Path) -> None:
    datum = array_to_datum(np.arange(6, dtype=np.uint8).reshape(1, 2, 3), 4)
    with LevelDbWriter(f"{tmp_path}/db") as database:
        database.put(b"b", datum)
        database.put(b"a", datum)
    read = LevelDb(f"{tmp_path}/db", "test")
    assert [read.record(number).key for number in range(2)] == [b"a", b"b"]
    assert read.record(0).value == datum.SerializeToString()


@pytest.mark.skipif(not HAS_PLYVEL, reason="needs plyvel")
def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match=rf"^cannot write LevelDB '{tmp_path}/file/db'"):
        LevelDbWriter(f"{tmp_path}/file/db")
