"""Our reader of LMDB's pages beside LMDB's own."""

import struct
import subprocess
import sys
from pathlib import Path

import lmdb
import numpy as np
import pytest

from caffe_compat.data.sources.lmdb import DataFile, Lmdb
from caffe_compat.data.sources.lmdb_tree import LmdbCursor
from caffe_compat.errors import DataError

PAGE = 4096


def make(folder: Path, seed: int, records: int, longest: int) -> dict[bytes, bytes]:
    """A database of random keys and values, a part of which was replaced or deleted again."""
    random = np.random.RandomState(seed)
    with lmdb.open(str(folder), map_size=2**28) as environment:
        for _ in range(3):
            with environment.begin(write=True) as transaction:
                for number in random.randint(0, 3 * records, records):
                    transaction.put(b"%d" % number, random.bytes(random.randint(longest)))
                for number in random.randint(0, 3 * records, records // 3):
                    transaction.delete(b"%d" % number)
        with environment.begin() as transaction:
            return dict(transaction.cursor())


def cursor_of(folder: Path) -> LmdbCursor:
    file = DataFile(str(folder / "data.mdb"), "db")
    return LmdbCursor(file, file.meta(), "db")


@pytest.mark.parametrize(("records", "longest"), [(1, 5), (40, 9), (2000, 60), (300, 20_000)])
def test_walks_and_jumps_are_those_of_lmdb(records: int, longest: int, tmp_path: Path) -> None:
    expected = make(tmp_path, records, records, longest)
    cursor = cursor_of(tmp_path)
    cursor.check(values=True)
    found, more = [], cursor.first()
    while more:
        found.append((cursor.key(), cursor.value()))
        more = cursor.next()
    assert found == list(expected.items())
    keys = list(expected)
    for key in (b"", b"5", b"55", *keys[::7]):
        later = [other for other in keys if other >= key]
        assert cursor.set_range(key) == bool(later)
        assert not later or (cursor.key(), cursor.value()) == (later[0], expected[later[0]])
    assert not cursor.set_range(b"~")
    assert cursor.last()
    assert cursor.key() == keys[-1]
    assert sum(count for _, count in cursor.leaves()) == len(keys)


def test_an_empty_database_has_no_records(tmp_path: Path) -> None:
    lmdb.open(str(tmp_path)).close()
    cursor = cursor_of(tmp_path)
    assert [cursor.first(), cursor.last(), cursor.next(), cursor.set_range(b"a")] == [False] * 4
    assert (cursor.key(), cursor.value()) == (b"", b"")
    cursor.check(values=True)


def damage(folder: Path, offset: int, content: bytes) -> None:
    with open(folder / "data.mdb", "r+b") as file:
        file.seek(offset)
        file.write(content)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Twenty records with a page each for their values, from page 3 or so on."""
    with lmdb.open(str(tmp_path), map_size=2**24) as environment, environment.begin(write=True) as transaction:
        for number in range(20):
            transaction.put(b"%08d_x" % number, bytes([number]) * 3000)
    return tmp_path


def place_of(folder: Path, content: bytes) -> int:
    return (folder / "data.mdb").read_bytes().index(content)


def walk(folder: Path) -> None:
    database = Lmdb(str(folder), "layer")
    try:
        for number in range(len(database)):
            database.record(number)
    finally:
        database.close()


def test_a_damaged_value_page_is_an_error_with_its_key(folder: Path) -> None:
    page = place_of(folder, b"\x07" * 3000) // PAGE
    damage(folder, page * PAGE, struct.pack("<Q", 77))
    message = (
        rf"^layer: LMDB '{folder}' is damaged at key '00000007_x': page {page} does not hold the 3000 bytes of a v"
    )
    with pytest.raises(DataError, match=message):
        walk(folder)
    database = Lmdb(str(folder), "layer")
    assert bytes(database.record(8).value) == b"\x08" * 3000
    with pytest.raises(DataError, match=message):
        database.check()
    database.close()


def test_a_cut_file_is_told_when_it_is_opened(folder: Path) -> None:
    with open(folder / "data.mdb", "r+b") as file:
        file.truncate(place_of(folder, b"\x0b" * 3000))
    with pytest.raises(
        DataError, match=r"is damaged at key '00000011_x': page \d+ lies behind the end of the file \(\d"
    ):
        Lmdb(str(folder), "layer")


def test_a_file_that_is_cut_while_it_is_read_is_an_error(folder: Path) -> None:
    database = Lmdb(str(folder), "layer")
    with open(folder / "data.mdb", "r+b") as file:
        file.truncate(2 * PAGE)
    with pytest.raises(DataError, match="which was cut while it was read"):
        database.record(3)
    database.close()


def leaf_of(folder: Path) -> int:
    return place_of(folder, b"00000000_x") // PAGE * PAGE


@pytest.mark.parametrize(
    ("offset", "content", "words"),
    [
        (0, b"\x63", "says that it is page 99"),
        (10, b"\x01\x00", "is of another kind"),
        (12, b"\xff\xff", "has its nodes at 65535"),
        (16, b"\x02\x00", "node 0 of page . lies outside of the page"),
    ],
)
def test_damage_of_a_leaf_is_named(offset: int, content: bytes, words: str, folder: Path) -> None:
    damage(folder, leaf_of(folder) + offset, content)
    with pytest.raises(DataError, match=rf"^layer: LMDB .* is damaged at key '': .*{words}"):
        walk(folder)


def test_a_node_that_ends_behind_its_page_is_named(folder: Path) -> None:
    damage(folder, place_of(folder, b"00000000_x") - 2, b"\xff\x7f")
    with pytest.raises(DataError, match=r"node 0 of page . ends behind the page"):
        walk(folder)


def test_keys_out_of_order_and_wrong_counts_are_found_by_check(folder: Path) -> None:
    damage(folder, place_of(folder, b"00000004_x"), b"00000002_x")
    database = Lmdb(str(folder), "layer")
    with pytest.raises(DataError, match="damaged at key '00000002_x': keys are not in ascending order"):
        database.check()
    database.close()


def test_values_of_other_kinds_are_refused(folder: Path) -> None:
    damage(folder, place_of(folder, b"00000003_x") - 4, b"\x02\x00")
    with pytest.raises(DataError, match=r"node 3 of page . is a sub-database or has duplicates, which Caffe never"):
        walk(folder)


WRITER = """
import lmdb, sys
environment = lmdb.open(sys.argv[1], map_size=2**24)
for _ in range(3):
    with environment.begin(write=True) as transaction:
        for number in range(20):
            transaction.put(b"%08d_x" % number, b"z" * 3000)
"""


@pytest.mark.slow
def test_a_writer_beside_replaces_nothing_that_is_read(folder: Path) -> None:
    database = Lmdb(str(folder), "layer")
    subprocess.run([sys.executable, "-c", WRITER, str(folder)], check=True)
    for number in range(20):
        assert bytes(database.record(number).value) == bytes([number]) * 3000
    database.close()
    assert bytes(Lmdb(str(folder), "layer").record(4).value) == b"z" * 3000
