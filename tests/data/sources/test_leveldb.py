"""LevelDB, with a stand-in for plyvel: the extra is not part of the tests' environment."""

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from caffe_compat.data.sources.leveldb import LevelDb
from caffe_compat.errors import DataError, MissingFeatureError
from tests.data.made_files import picture, raw_lmdb


class BadDatabaseError(Exception):
    """plyvel.Error"""


class Stored:
    """plyvel.DB over a dictionary."""

    contents: dict[bytes, bytes] = {}  # noqa: RUF012 - set by the tests

    def __init__(self, path: str, create_if_missing: bool) -> None:
        if "bad" in path:
            raise BadDatabaseError("corrupt")
        self.closed = False

    def iterator(self, include_value: bool) -> list[bytes]:
        return sorted(self.contents)

    def get(self, key: bytes) -> bytes:
        return self.contents[key]

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def plyvel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "plyvel", SimpleNamespace(DB=Stored, Error=BadDatabaseError))
    monkeypatch.setattr(Stored, "contents", {b"b": b"2", b"a": b"1"})


@pytest.mark.usefixtures("plyvel")
def test_reads_records_in_key_order(tmp_path: Path) -> None:
    database = LevelDb(str(tmp_path), "layer")
    assert len(database) == 2
    assert [database.record(ordinal) for ordinal in (1, 0)] == [(b"b", b"2"), (b"a", b"1")]
    database.close()


@pytest.mark.usefixtures("plyvel")
def test_refuses_what_plyvel_refuses(tmp_path: Path) -> None:
    (tmp_path / "bad").mkdir()
    with pytest.raises(DataError, match=r"^layer: cannot open LevelDB '.*/bad': corrupt"):
        LevelDb(str(tmp_path / "bad"), "layer")


@pytest.mark.usefixtures("plyvel")
def test_refuses_an_empty_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Stored, "contents", {})
    with pytest.raises(DataError, match=rf"^layer: LevelDB '{tmp_path}' is empty"):
        LevelDb(str(tmp_path), "layer")


def test_says_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "plyvel", None)
    with pytest.raises(MissingFeatureError, match=r"^layer: reading LevelDB '.*' needs the package plyvel; install"):
        LevelDb(str(tmp_path), "layer")


def test_knows_an_lmdb(tmp_path: Path) -> None:
    path = raw_lmdb(tmp_path / "db", [picture(2, 3)])
    with pytest.raises(DataError, match=r"^layer: '.*/db' is an LMDB; set data_param.backend: LMDB"):
        LevelDb(str(path), "layer")


def test_refuses_a_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"^layer: cannot open LevelDB '.*/none': no such folder"):
        LevelDb(f"{tmp_path}/none", "layer")
