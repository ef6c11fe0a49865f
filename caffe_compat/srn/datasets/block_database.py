"""LMDBs that are written block by block, so that a run that was killed can continue and give the same bytes.

Each block is one transaction of an environment opened for it alone: what LMDB writes then depends on the file and the
block, never on what a run did before. A block that did not get whole to the disk has left no trace that counts.
"""

from collections.abc import Sequence
from pathlib import Path

import lmdb

from caffe_compat.errors import DataError

Record = tuple[bytes, bytes]

_PAGE = 4096
#: Bytes that a record takes beyond its own: the rest of its last page, and tree pages that are copied.
_OVERHEAD = 2 * _PAGE


class BlockDatabase:
    """An LMDB of records with ascending keys; its map doubles when it is full."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def put_block(self, before: int, records: Sequence[Record]) -> None:
        """Add records after the first `before`, unless a run that was killed right afterwards has added them already.

        Raises DataError if the disk is full or the database does not end where the block begins.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with lmdb.open(str(self.folder), map_size=0) as environment:
                self._put(environment, before, records)
        except (OSError, lmdb.Error) as error:
            raise DataError(f"cannot write LMDB '{self.folder}': {error}") from error

    def _put(self, environment: lmdb.Environment, before: int, records: Sequence[Record]) -> None:
        entries = environment.stat()["entries"]
        if entries == before + len(records):
            return
        if entries != before:
            raise DataError(
                f"LMDB '{self.folder}': expected {before} records, found {entries}; "
                "remove the unfinished folder and begin again"
            )
        _make_room(environment, records)
        with environment.begin(write=True) as transaction:
            for key, value in records:
                transaction.put(key, value, append=True)


def _make_room(environment: lmdb.Environment, records: Sequence[Record]) -> None:
    """Grow the map to twice what is needed, in powers of two. The file holds the size, so runs must agree."""
    about = environment.info()
    used = _PAGE * (about["last_pgno"] + 1)
    needed = 2 * (used + sum(len(key) + len(value) + _OVERHEAD for key, value in records))
    if needed > about["map_size"]:
        environment.set_mapsize(1 << needed.bit_length())
