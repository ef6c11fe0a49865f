"""LMDB folders that we write."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from caffe_compat.data.lmdb_writer import COMMIT_EVERY, LmdbWriter
from caffe_compat.data.sources.datums import encoded_datum, image_to_datum
from caffe_compat.data.sources.lmdb import Lmdb
from caffe_compat.errors import DataError
from tests.data.made_files import picture


def test_writes_and_appends(tmp_path: Path) -> None:
    path = str(tmp_path / "new" / "lmdb")
    for start in (0, 3):
        with LmdbWriter(path, append=bool(start)) as writer:
            for number in range(start, start + 3):
                writer.put(b"%08d" % number, image_to_datum(picture(2, 3, seed=number)))
            assert writer.keys() == [b"%08d" % number for number in range(start + 3)]
    assert len(Lmdb(path, "layer")) == 6


def write_and_fail(path: str, append: bool = False) -> None:
    with LmdbWriter(path, append) as writer:
        for number in range(COMMIT_EVERY + 5):
            writer.put(b"%08d" % number, encoded_datum(b"x"))
        raise ZeroDivisionError


def test_commits_every_thousand(tmp_path: Path) -> None:
    """An existing database keeps what was committed; of a new one nothing is left."""
    path = tmp_path / "lmdb"
    with pytest.raises(ZeroDivisionError):
        write_and_fail(str(path))
    assert not path.exists()
    with pytest.raises(ZeroDivisionError):
        write_and_fail(str(path), append=True)
    assert len(Lmdb(str(path), "layer")) == COMMIT_EVERY


def test_other_files_of_a_folder_stay_where_a_new_database_fails(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(ZeroDivisionError):
        write_and_fail(str(tmp_path))
    assert [file.name for file in tmp_path.iterdir()] == ["notes.txt"]


def test_refuses_an_existing_one(tmp_path: Path) -> None:
    with LmdbWriter(str(tmp_path)) as writer:
        writer.put(b"key", encoded_datum(b"x"))
    with pytest.raises(DataError, match=rf"^LMDB '{tmp_path}' exists already; remove it or name another folder"):
        LmdbWriter(str(tmp_path))


def test_refuses_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match=rf"^cannot write LMDB '{tmp_path}/file': "):
        LmdbWriter(str(tmp_path / "file"))


def test_refuses_long_keys(tmp_path: Path) -> None:
    with LmdbWriter(str(tmp_path)) as writer, pytest.raises(DataError, match=r"^cannot write record 'kkk.* to LMDB "):
        writer.put(b"k" * 600, encoded_datum(b"x"))


def test_a_full_disk_is_told(tmp_path: Path) -> None:
    path = str(tmp_path / "lmdb")
    with LmdbWriter(path) as writer:
        writer.put(b"kept", image_to_datum(picture(2, 3)))
    with pytest.raises(DataError, match=rf"^cannot write LMDB '{path}': .*; is the disk full\?$"):
        append_beyond(4096, path)
    assert Lmdb(path, "layer").record(0)[0] == b"kept"
    assert len(Lmdb(path, "layer")) == 1


def append_beyond(size: int, path: str) -> None:
    with LmdbWriter(path, append=True) as writer:
        writer.put(b"lost", image_to_datum(picture(200, 300)))
        with files_of_at_most(size):
            writer.commit()


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
