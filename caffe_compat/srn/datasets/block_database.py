"""LMDBs written block by block, so that a killed run goes on and ends with the same bytes.

Each block is one transaction of an environment opened for it alone: what LMDB writes then depends on the file and the
block, never on what a run did before. A block that did not get whole to the disk has left no trace that counts.
"""

from collections.abc import Sequence
from pathlib import Path

import lmdb

from caffe_compat.errors import DataError

Record = tuple[bytes, bytes]

_PAGE = 4096
#: A record's share of pages beyond its own bytes: its last page, and tree pages copied.
_OVERHEAD = 2 * _PAGE


class BlockDatabase:
    """An LMDB of records with ascending keys; the map doubles as it fills."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def put_block(self, before: int, records: Sequence[Record]) -> None:
        """Add records after the first `before`, unless a run that was killed just then has added them already.

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
    """Twice what is needed, in powers of two: the size stands in the file, so it must not depend on the run."""
    about = environment.info()
    used = _PAGE * (about["last_pgno"] + 1)
    needed = 2 * (used + sum(len(key) + len(value) + _OVERHEAD for key, value in records))
    if needed > about["map_size"]:
        environment.set_mapsize(1 << needed.bit_length())
