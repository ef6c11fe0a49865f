"""Reads LMDB folders in Caffe's format (db_lmdb.cpp)."""

import logging
import os
import struct
import weakref
from functools import cached_property
from typing import Any

import lmdb

from caffe_compat.data.regular_file import open_regular
from caffe_compat.data.sources.database import Database, KeyValue
from caffe_compat.data.sources.environments import close_environment, open_environment
from caffe_compat.data.sources.key_index import KeyIndex, index_of
from caffe_compat.data.sources.lmdb_tree import PAGE_HEADER, LmdbCursor, Meta, PageFile
from caffe_compat.errors import DataError

logger = logging.getLogger("caffe_compat")

# A jump of up to this many records is made by `next` calls: with several processes, each skips the others' records.
_WALK_AT_MOST = 64
#: Least bytes per record: node header and offset.
_LEAST_BYTES = 10
#: A writer may commit between the start of a transaction and the reading of its meta page.
_ATTEMPTS = 20
MAGIC, VERSION = 0xBEEFC0DE, 1
_META = struct.Struct("<IIQQ")  # magic, version, address, size of the map
_DATABASE = struct.Struct("<IHHQQQQQ")  # page size, flags, depth, branch, leaf and overflow pages, entries, root
_META_END = struct.Struct("<QQ")  # last page, transaction
_META_BYTES = PAGE_HEADER.size + _META.size + 2 * _DATABASE.size + _META_END.size


class DataFile(PageFile):
    """An open data.mdb; `meta(transaction)` returns the description of its database."""

    def __init__(self, path: str, owner: str) -> None:
        super().__init__(open_regular(path, owner))
        try:
            self.refresh(owner)
        except BaseException:
            self.close()
            raise
        self.page_size = self._metas[0].page_size

    def meta(self, transaction: int | None = None) -> Meta:
        """The meta page of a transaction, or the newest meta page for None."""
        newest = max(self._metas, key=lambda meta: meta.transaction)
        return next((meta for meta in self._metas if meta.transaction == transaction), newest)

    def refresh(self, place: str) -> None:
        """Reads the meta pages again, because a writer may have replaced them."""
        self.length = os.fstat(self._descriptor).st_size
        self._metas = self._read_metas(place)
        self.last_page = max(meta.last_page for meta in self._metas)

    def is_short(self) -> bool:
        """Whether the file ends before the last page counted by the newest meta page."""
        return (self.meta().last_page + 1) * self.page_size > self.length

    def _read_metas(self, place: str) -> list[Meta]:
        first = self._read_meta(0)
        second = None if first is None else self._read_meta(first.page_size)
        if first is None or second is None or first.page_size != second.page_size:
            raise DataError(
                f"{place} is no LMDB of 64 bits, or its first pages are damaged; copy it again, or make it again with "
                "convert_imageset"
            )
        return [first, second]

    def _read_meta(self, offset: int) -> Meta | None:
        content = os.pread(self._descriptor, _META_BYTES, offset)
        if len(content) < _META_BYTES:
            return None
        magic, version, _, _ = _META.unpack_from(content, PAGE_HEADER.size)
        free_at = PAGE_HEADER.size + _META.size
        page_size = _DATABASE.unpack_from(content, free_at)[0]
        _, flags, depth, _, _, _, entries, root = _DATABASE.unpack_from(content, free_at + _DATABASE.size)
        last_page, transaction = _META_END.unpack_from(content, free_at + 2 * _DATABASE.size)
        known = magic == MAGIC and version == VERSION and 512 <= page_size <= 65536 and page_size & (page_size - 1) == 0
        return Meta(page_size, flags, depth, entries, root, last_page, transaction) if known else None


class Lmdb(Database):
    """Records of an LMDB by their number.

    A transaction of the LMDB library prevents concurrent writers from replacing pages that are being read. The pages
    themselves are read by code that checks them, so that a damaged file raises DataError.
    """

    def __init__(self, path: str, owner: str) -> None:
        self.path = path
        self._place = f"{owner}: LMDB '{path}'"
        if not os.path.exists(os.path.join(path, "data.mdb")):
            raise DataError(f"{owner}: cannot open LMDB '{path}': no data.mdb there; make it with convert_imageset")
        file = DataFile(os.path.join(path, "data.mdb"), self._place)
        try:
            environment = open_environment(path, owner, _open)
            # Runs even if `close` is never called. The path is absolute: the program may change its folder.
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
        if self._file.is_short():  # not always an error: the missing pages may be unused
            self.check()

    def __len__(self) -> int:
        return self._meta.entries

    def record(self, ordinal: int) -> KeyValue:
        """The record with this number; DataError names the key near a damaged page."""
        self._go_to(ordinal)
        self._at = ordinal
        return KeyValue(self._cursor.key(), self._cursor.value())

    def _go_to(self, ordinal: int) -> None:
        if self._at is not None and 0 <= ordinal - self._at <= _WALK_AT_MOST:
            # None first: if a move fails, the cursor's position is unknown.
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
        """Reads all pages; DataError at the first damaged page."""
        self._new_cursor().check(values=True)

    def _new_cursor(self) -> LmdbCursor:
        return LmdbCursor(self._file, self._meta, self._place)

    def close(self) -> None:
        """Ends the transaction; the folder is closed with its last user."""
        if self._transaction is not None:
            self._transaction.abort()
        self._give_back()


def _give_back(file: DataFile, path: str) -> None:
    file.close()
    close_environment(path)


def _begin(environment: Any, file: DataFile, place: str) -> tuple[Any, Meta]:
    """A transaction and the meta page of the same moment; None in place of the transaction if there are no locks."""
    if environment.readers() is None:
        return None, file.meta()
    for _ in range(_ATTEMPTS):
        transaction = environment.begin()
        file.refresh(place)
        meta = file.meta()
        # Different numbers mean that a writer committed in between: try again.
        if meta.transaction == transaction.id():
            return transaction, meta
        transaction.abort()
    raise DataError(f"{place} is being written faster than it can be opened; wait for the writer")


class _WithoutLocks:
    """Replaces an environment if no lock file can be written; a folder that nothing can write needs no locks."""

    def readers(self) -> None:
        """Returns no readers: there is no table of readers."""

    def close(self) -> None:
        """Does nothing, because nothing is open."""


def _open(path: str, owner: str) -> Any:
    """Opens a folder read-only, with LMDB's lock file if the folder is writable."""
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
