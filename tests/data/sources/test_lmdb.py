"""LMDB folders by record number."""

import gc
from pathlib import Path

import lmdb
import pytest

from caffe_compat.data.datum import encoded_datum, record_key
from caffe_compat.data.sources.lmdb import Lmdb, open_environment
from caffe_compat.errors import DataError
from tests.data.made_files import write_lmdb

COUNT = 600


@pytest.fixture
def numbered(tmp_path: Path) -> str:
    return str(write_lmdb(tmp_path / "db", [encoded_datum(b"%d" % number) for number in range(COUNT)]))


@pytest.mark.parametrize("ordinals", [range(0, COUNT, 7), [0, 1, 2, 0, 1], [599, 0, 300, 301, 364, 500, 3]])
def test_finds_any_record(numbered: str, ordinals: list[int]) -> None:
    database = Lmdb(numbered, "layer")
    assert len(database) == COUNT
    for ordinal in ordinals:
        key, value = database.record(ordinal)
        assert key == record_key(ordinal, f"{ordinal}.png")
        assert bytes(value) == encoded_datum(b"%d" % ordinal).SerializeToString()
    database.close()


def test_two_nets_read_one_folder(numbered: str) -> None:
    first, second = Lmdb(numbered, "train"), Lmdb(numbered, "test")
    assert open_environment(numbered, "train") is open_environment(f"{numbered}/.", "test")
    first.record(5)
    del first
    gc.collect()
    assert second.record(9).key == record_key(9, "9.png")


def test_refuses_a_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match=r"^layer: cannot open LMDB '.*/none': no data.mdb there; make it with convert_"
    ):
        Lmdb(f"{tmp_path}/none", "layer")


def test_refuses_other_files(tmp_path: Path) -> None:
    (tmp_path / "data.mdb").write_bytes(b"x" * 10000)
    with pytest.raises(DataError, match=rf"^layer: cannot open LMDB '{tmp_path}': .*MDB_INVALID"):
        Lmdb(str(tmp_path), "layer")


def test_refuses_an_empty_one(tmp_path: Path) -> None:
    lmdb.open(str(tmp_path)).close()
    with pytest.raises(DataError, match=rf"^layer: LMDB '{tmp_path}' is empty"):
        Lmdb(str(tmp_path), "layer")
