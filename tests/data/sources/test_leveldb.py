"""LevelDB: a folder that a real Caffe wrote, where plyvel is installed; and what is said, by a stand-in for it."""

import os
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import ClassVar

import cv2
import numpy as np
import pytest

from caffe_compat.data.draws import Draws
from caffe_compat.data.sources.datums import Datums, record_key
from caffe_compat.data.sources.leveldb import LevelDb
from caffe_compat.errors import DataError, MissingFeatureError
from tests.data.made_files import picture, raw_lmdb, read_picture

DATA = Path(__file__).resolve().parents[2] / "goldens" / "bvlc" / "data"


class BadDatabaseError(Exception):
    """plyvel.Error"""


class Stored:
    """plyvel.DB over a dictionary."""

    contents: ClassVar[dict[bytes, bytes]] = {}  # set by the tests

    def __init__(self, path: str, create_if_missing: bool) -> None:
        if "bad" in path:
            raise BadDatabaseError("corrupt")
        self.closed = False

    def iterator(self, include_value: bool, verify_checksums: bool) -> list[bytes]:
        return sorted(self.contents)

    def get(self, key: bytes, verify_checksums: bool) -> bytes:
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


def test_two_nets_share_a_folder(tmp_path: Path) -> None:
    plyvel = pytest.importorskip("plyvel")
    plyvel.DB(str(tmp_path / "db"), create_if_missing=True).put(b"a", b"1")
    first, second = (LevelDb(str(tmp_path / "db"), owner) for owner in ("train", "test"))
    first.close()
    assert second.record(0) == (b"a", b"1")
    second.close()
    plyvel.DB(str(tmp_path / "db")).close()  # nobody holds it any more


def test_a_folder_that_another_process_holds(tmp_path: Path) -> None:
    plyvel = pytest.importorskip("plyvel")
    with_lock = plyvel.DB(str(tmp_path), create_if_missing=True)
    with pytest.raises(DataError, match=r"^layer: cannot open LevelDB .*already held by process.*; .* make an LMDB$"):
        LevelDb(str(tmp_path), "layer")
    with_lock.close()


def test_reads_what_a_real_caffe_wrote(tmp_path: Path) -> None:
    """`convert_imageset --backend=leveldb --resize_height 5 --resize_width 6` over the recorded images."""
    pytest.importorskip("plyvel")
    shutil.copytree(DATA / "leveldb", tmp_path / "db")  # LevelDB writes to what it opens
    listed = [line.split() for line in (DATA / "list.txt").read_text().splitlines()]
    datums = Datums(f"{tmp_path}/db", "LEVELDB", cv2.IMREAD_UNCHANGED, "layer")
    assert [datums.key(number) for number in range(len(datums))] == [
        record_key(number, name) for number, (name, _) in enumerate(listed)
    ]
    for record, (name, label) in zip(datums.fetch(range(len(listed))), listed, strict=True):
        pixels, found = datums.load(record, Draws())
        whole = read_picture(DATA / "images" / name)
        assert whole is not None
        image = cv2.resize(whole, (6, 5))
        assert found == float(label)
        # JPEG decoders of two OpenCVs differ a little; PNG leaves no choice.
        assert np.abs(pixels.astype(int) - image).max() <= (0 if name.endswith("png") else 3)
    datums.close()


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


def table_of(folder: Path) -> Path:
    """Makes a LevelDB and returns its table, into which the second opening turns the log of the first."""
    plyvel = pytest.importorskip("plyvel")
    for _ in range(2):
        with plyvel.DB(str(folder), create_if_missing=True) as database:
            database.put(b"a", b"1" * 90)
    (table,) = folder.glob("*.ldb")
    return table


def test_a_damaged_table_is_an_error_before_the_first_record(tmp_path: Path) -> None:
    table = table_of(tmp_path)
    content = bytearray(table.read_bytes())
    content[20] ^= 255
    table.write_bytes(content)
    with pytest.raises(DataError, match=rf"^layer: LevelDB '{tmp_path}' is damaged: (?!b').*; copy it again, or"):
        LevelDb(str(tmp_path), "layer")


def test_a_pipe_in_the_folder_is_refused(tmp_path: Path) -> None:
    table = table_of(tmp_path)
    table.unlink()
    os.mkfifo(table)
    with pytest.raises(DataError, match=rf"expected files only, found a pipe .* '{table.name}'; copy it again"):
        LevelDb(str(tmp_path), "layer")


def test_what_leveldb_quotes_of_a_damaged_file_is_escaped(tmp_path: Path) -> None:
    table_of(tmp_path)
    (tmp_path / "CURRENT").write_bytes(b"MANIFEST\t\0-x\n")
    with pytest.raises(DataError, match=r"^layer: cannot open LevelDB '.*MANIFEST\\t") as refused:
        LevelDb(str(tmp_path), "layer")
    assert str(refused.value).isprintable()
