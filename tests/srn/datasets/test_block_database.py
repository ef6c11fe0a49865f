import shutil
from typing import Any

import lmdb
import numpy as np
import pytest

from caffe_compat.errors import DataError
from caffe_compat.srn.datasets import block_database
from caffe_compat.srn.datasets.block_database import BlockDatabase


def block(number, size=3, longest=9000):
    random = np.random.default_rng(number)
    return [
        (f"{size * number + place:08d}_a".encode(), random.bytes(int(random.integers(1, longest))))
        for place in range(size)
    ]


def test_records_are_there_in_order(tmp_path):
    database = BlockDatabase(tmp_path / "new" / "lmdb")
    for number in range(4):
        database.put_block(3 * number, block(number))
    with lmdb.open(str(database.folder), readonly=True, lock=False) as environment, environment.begin() as transaction:
        found = [(bytes(key), bytes(value)) for key, value in transaction.cursor()]
    assert found == [record for number in range(4) for record in block(number)]


def test_a_block_that_is_there_is_not_written_again(tmp_path):
    once, twice = BlockDatabase(tmp_path / "once"), BlockDatabase(tmp_path / "twice")
    for number in range(5):
        once.put_block(3 * number, block(number))
        for _ in range(2):
            twice.put_block(3 * number, block(number))
    assert (once.folder / "data.mdb").read_bytes() == (twice.folder / "data.mdb").read_bytes()


def test_a_transaction_that_was_not_committed_leaves_no_trace(tmp_path, monkeypatch):
    whole, broken = BlockDatabase(tmp_path / "whole"), BlockDatabase(tmp_path / "broken")
    for number in range(5):
        whole.put_block(3 * number, block(number))
        with pytest.raises(ZeroDivisionError):
            broken.put_block(3 * number, Unending(block(number)))
        broken.put_block(3 * number, block(number))
    assert (whole.folder / "data.mdb").read_bytes() == (broken.folder / "data.mdb").read_bytes()


class Unending(list[Any]):
    """Records of which reading breaks off, as a process may, but for the first time that they are read."""

    reads = 0

    def __iter__(self):
        self.reads += 1
        yield from super().__iter__()
        if self.reads > 1:
            _ = 1 / 0


def test_the_map_grows_with_the_records(tmp_path):
    database = BlockDatabase(tmp_path)
    sizes = []
    for number in range(6):
        database.put_block(3 * number, block(number, longest=3_000_000))
        with lmdb.open(str(tmp_path), map_size=0) as environment:
            sizes.append(environment.info()["map_size"])
    used = (tmp_path / "data.mdb").stat().st_size
    assert sizes == sorted(sizes)
    assert used < sizes[-1] <= 8 * used


def test_a_gap_is_an_error(tmp_path):
    database = BlockDatabase(tmp_path / "lmdb")
    database.put_block(0, block(0))
    with pytest.raises(DataError, match=r"^LMDB '.*lmdb': expected 6 records, found 3; remove the unfinished folder"):
        database.put_block(6, block(2))


def test_a_folder_that_cannot_be_written_is_an_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match=r"^cannot write LMDB '.*file/lmdb': .*Not a directory"):
        BlockDatabase(tmp_path / "file" / "lmdb").put_block(0, block(0))


def test_a_full_map_is_an_error(tmp_path, monkeypatch):
    monkeypatch.setattr(block_database, "_make_room", lambda environment, records: None)
    with pytest.raises(DataError, match=r"^cannot write LMDB '.*': .*MDB_MAP_FULL"):
        BlockDatabase(tmp_path).put_block(0, block(0, longest=3_000_000))
    shutil.rmtree(tmp_path)
