"""From record numbers to places in an LMDB."""

from pathlib import Path

import pytest

from caffe_compat.data.sources.datums import encoded_datum, record_key
from caffe_compat.data.sources.key_index import FirstKeys, NumberedKeys, index_of
from caffe_compat.data.sources.lmdb import DataFile
from caffe_compat.data.sources.lmdb_tree import LmdbCursor
from caffe_compat.errors import DataError
from tests.data.made_files import write_lmdb


def cursor_over(folder: Path, keys: list[bytes]) -> LmdbCursor:
    path = write_lmdb(folder / "db", [encoded_datum(b"x")] * len(keys), keys)
    file = DataFile(str(path / "data.mdb"), "layer")
    return LmdbCursor(file, file.meta(), "layer")


def test_numbered_keys_need_no_index(tmp_path: Path) -> None:
    keys = [record_key(number, f"{97 - number}") for number in range(40)]
    cursor = cursor_over(tmp_path, keys)
    index = index_of(cursor, 40, "layer")
    assert isinstance(index, NumberedKeys)
    for ordinal in (39, 0, 17):
        index.seek(cursor, ordinal)
        assert cursor.key() == keys[ordinal]


@pytest.mark.parametrize("template", ["%05d", "00000000_%05d", "name%05d"])
def test_other_keys_are_found_by_the_first_of_their_page(tmp_path: Path, template: str) -> None:
    keys = [(template % (3 * number)).encode() for number in range(700)]
    cursor = cursor_over(tmp_path, keys)
    index = index_of(cursor, 700, "layer")
    assert isinstance(index, FirstKeys)
    for ordinal in (0, 255, 256, 699, 300):
        index.seek(cursor, ordinal)
        assert cursor.key() == keys[ordinal]


def test_a_gap_among_numbered_keys_is_an_error(tmp_path: Path) -> None:
    keys = [b"00000000_a", b"00000002_b", b"00000002_c"]
    cursor = cursor_over(tmp_path, keys)
    index = index_of(cursor, 3, "layer")
    with pytest.raises(DataError, match=r"^layer has no record number 1, though its first and last keys count without"):
        index.seek(cursor, 1)
