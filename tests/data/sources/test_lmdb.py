"""LMDB folders by record number."""

import gc
import os
from pathlib import Path

import lmdb
import pytest

from caffe_compat.data.sources import environments
from caffe_compat.data.sources.datums import encoded_datum, record_key
from caffe_compat.data.sources.lmdb import Lmdb
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


def test_nets_may_drop_it_without_closing(numbered: str) -> None:
    for _ in range(3):
        Lmdb(numbered, "layer").record(7)
    gc.collect()
    assert os.path.realpath(numbered) not in environments._shared


def test_refuses_an_empty_one(tmp_path: Path) -> None:
    lmdb.open(str(tmp_path)).close()
    with pytest.raises(DataError, match=rf"^layer: LMDB '{tmp_path}' is empty"):
        Lmdb(str(tmp_path), "layer")
