"""LMDB folders as Caffe writes them (db_lmdb.cpp)."""

import logging
import os
import weakref
from functools import cached_property
from typing import Any

import lmdb

from caffe_compat.data.sources.database import Database, KeyValue
from caffe_compat.data.sources.environments import close_environment, open_environment
from caffe_compat.data.sources.key_index import KeyIndex, index_of
from caffe_compat.data.sources.lmdb_cursor import LmdbCursor
from caffe_compat.data.sources.lmdb_pages import Meta, PageFile
from caffe_compat.errors import DataError

logger = logging.getLogger("caffe_compat")

# A jump this short is walked, as the share of one of several processes is.
_WALK_AT_MOST = 64
#: What a record takes at least: the header of its node and its offset.
_LEAST_BYTES = 10
#: A writer may commit between the start of a transaction and the reading of its meta page.
_ATTEMPTS = 20


class Lmdb(Database):
    """Records of an LMDB by their number.

    A transaction of LMDB itself keeps writers beside it from replacing pages that are being read. The pages are read
    by code that checks them, so that a damaged file is a DataError.
    """

    def __init__(self, path: str, owner: str) -> None:
        self.path = path
        self._place = f"{owner}: LMDB '{path}'"
        if not os.path.exists(os.path.join(path, "data.mdb")):
            raise DataError(f"{owner}: cannot open LMDB '{path}': no data.mdb there; make it with convert_imageset")
        file = PageFile(os.path.join(path, "data.mdb"), self._place)
        try:
            environment = open_environment(path, owner, _open)
            # Also where no one calls `close`; by absolute path, for the program may change its folder in between.
            self._give_back = weakref.finalize(self, _give_back, file, os.path.realpath(path))
        except BaseException:
            file.close()
            raise
        self._file = file
        self._transaction, self._meta = _begin(environment, file, self._place)
        self._cursor = LmdbCursor(file, self._meta, self._place)
        self._at: int | None = None
        self._require_records()

    def _require_records(self) -> None:
        if self._meta.flags:
            raise DataError(f"{self._place} has keys in an order of its own, which Caffe never writes")
        if not self._meta.entries:
            raise DataError(f"{self._place} is empty")
        if self._meta.entries * _LEAST_BYTES > self._file.length:
            raise DataError(f"{self._place} counts {self._meta.entries} records in {self._file.length} bytes: it is "
                            "damaged; copy it again, or make it again with convert_imageset")  # fmt: skip
        if self._file.is_short():  # its last pages may be unused: then nothing is missing
            self.check()

    def __len__(self) -> int:
        return self._meta.entries

    def record(self, ordinal: int) -> KeyValue:
        """The record of this number; DataError names the key near a damaged page."""
        self._go_to(ordinal)
        self._at = ordinal
        return KeyValue(self._cursor.key(), self._cursor.value())

    def _go_to(self, ordinal: int) -> None:
        if self._at is not None and 0 <= ordinal - self._at <= _WALK_AT_MOST:
            steps, self._at = ordinal - self._at, None
            for _ in range(steps):
                self._cursor.next()
        elif ordinal == 0:
            self._at = None
            self._cursor.first()
        else:
            self._at = None
            self._index.seek(self._cursor, ordinal)

    @cached_property
    def _index(self) -> KeyIndex:
        return index_of(self._new_cursor(), len(self), self._place)

    def check(self) -> None:
        """Walks all pages; DataError at the first that is damaged."""
        self._new_cursor().check(values=True)

    def _new_cursor(self) -> LmdbCursor:
        return LmdbCursor(self._file, self._meta, self._place)

    def close(self) -> None:
        """Ends the transaction; the folder closes with its last reader."""
        if self._transaction is not None:
            self._transaction.abort()
        self._give_back()


def _give_back(file: PageFile, path: str) -> None:
    file.close()
    close_environment(path)


def _begin(environment: Any, file: PageFile, place: str) -> tuple[Any, Meta]:
    """A transaction, and the meta page of the same moment; without locks there is no transaction."""
    if environment.readers() is None:
        return None, file.meta()
    for _ in range(_ATTEMPTS):
        transaction = environment.begin()
        file.refresh(place)
        meta = file.meta()
        if meta.transaction == transaction.id():
            return transaction, meta
        transaction.abort()
    raise DataError(f"{place} is being written faster than it can be opened; wait for the writer")


class _WithoutLocks:
    """In place of an environment, where no lock file can be written: a folder that cannot be written needs none."""

    def readers(self) -> None:
        """No table of readers."""

    def close(self) -> None:
        """Nothing is open."""


def _open(path: str, owner: str) -> Any:
    """Read-only, with LMDB's lock file where the folder takes it."""
    try:
        environment = lmdb.open(path, readonly=True, lock=True, readahead=False, max_dbs=0, max_spare_txns=0)
        environment.reader_check()
        return environment
    except lmdb.ReadonlyError:
        pass
    except lmdb.Error as error:
        if not os.access(path, os.W_OK):
            logger.info("%s: LMDB '%s' is read without a lock file: %s", owner, path, error)
        else:
            logger.warning("%s: LMDB '%s' is read without a lock file (%s); let no program write to it meanwhile",
                           owner, path, error)  # fmt: skip
    return _WithoutLocks()
