"""LMDB folders as Caffe writes them (db_lmdb.cpp), read without locks and without copies."""

import os
import weakref
from functools import cached_property
from typing import Any

import lmdb

from caffe_compat.data.sources.database import Database, KeyValue
from caffe_compat.data.sources.environments import close_environment, open_environment
from caffe_compat.data.sources.key_index import KeyIndex, index_of
from caffe_compat.errors import DataError

# A jump this short is walked, as the share of one of several processes is.
_WALK_AT_MOST = 64


class Lmdb(Database):
    """A cursor over an LMDB that goes to any record by its number.

    The values it returns are views of the mapped file; they live as long as this object.
    """

    def __init__(self, path: str, owner: str) -> None:
        self.path = path
        self._owner = owner
        environment = open_environment(path, owner, _open)
        # Also where no one calls `close`; by absolute path, for the program may change its folder in between.
        self._give_back = weakref.finalize(self, close_environment, os.path.realpath(path))
        self._transaction = environment.begin(buffers=True)
        self._cursor = self._transaction.cursor()
        self._length: int = self._transaction.stat()["entries"]
        self._at: int | None = None
        if not self._length:
            raise DataError(f"{owner}: LMDB '{path}' is empty")

    def __len__(self) -> int:
        return self._length

    def record(self, ordinal: int) -> KeyValue:
        """The record of this number; the views in it live as long as this object."""
        self._go_to(ordinal)
        self._at = ordinal
        return KeyValue(bytes(self._cursor.key()), self._cursor.value())

    def _go_to(self, ordinal: int) -> None:
        if self._at is not None and 0 <= ordinal - self._at <= _WALK_AT_MOST:
            for _ in range(ordinal - self._at):
                self._cursor.next()
        elif ordinal == 0:
            self._cursor.first()
        else:
            self._index.seek(self._cursor, ordinal)

    @cached_property
    def _index(self) -> KeyIndex:
        return index_of(self._transaction, self._length, f"{self._owner}: LMDB '{self.path}'")

    def close(self) -> None:
        """Ends the transaction; the folder closes with its last reader."""
        self._cursor.close()
        self._transaction.abort()
        self._give_back()


def _open(path: str, owner: str) -> Any:
    """Read-only and without locks."""
    if not os.path.exists(os.path.join(path, "data.mdb")):
        raise DataError(f"{owner}: cannot open LMDB '{path}': no data.mdb there; make it with convert_imageset")
    try:
        return lmdb.open(path, readonly=True, lock=False, readahead=False, max_dbs=0)
    except lmdb.Error as error:
        raise DataError(f"{owner}: cannot open LMDB '{path}': {error}") from error
