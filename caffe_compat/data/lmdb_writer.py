"""Writes LMDB folders like Caffe's tools (db_lmdb.cpp, convert_imageset.cpp)."""

import os
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import lmdb

from caffe_compat.errors import DataError
from caffe_compat.proto import caffe_pb2

#: Largest size of an LMDB, in bytes; the file on the disk takes only the used part.
_MAP_SIZE = 2**40
COMMIT_EVERY = 1000


class LmdbWriter:
    """Context manager that writes Datum messages to a new LMDB; `append` also allows an existing one.

    Commits after every thousand records and on exit. If an exception leaves the block, nothing is left of a new
    database, and an existing one keeps what was committed.
    """

    def __init__(self, path: str, append: bool = False) -> None:
        self.path = path
        if os.path.exists(os.path.join(path, "data.mdb")) and not append:
            raise DataError(f"LMDB '{path}' exists already; remove it or name another folder")
        self._made = [] if append else ["data.mdb", "lock.mdb"]
        try:
            os.makedirs(path, exist_ok=True)
            self._environment = lmdb.open(path, map_size=_MAP_SIZE)
        except (OSError, lmdb.Error) as error:
            self._remove_what_was_made()
            raise DataError(f"cannot write LMDB '{path}': {error}") from error
        self._transaction = self._environment.begin(write=True)
        self._uncommitted = 0

    def put(self, key: bytes, datum: caffe_pb2.Datum) -> None:
        """Adds a record; the value of an existing key is replaced."""
        try:
            self._transaction.put(key, datum.SerializeToString())
        except lmdb.Error as error:
            name = key.decode(errors="replace")
            raise DataError(f"cannot write record '{name}' to LMDB '{self.path}': {error}") from error
        self._uncommitted += 1
        if self._uncommitted >= COMMIT_EVERY:
            self.commit()

    def commit(self) -> None:
        """Writes all records so far to the disk."""
        self._commit()
        self._transaction = self._environment.begin(write=True)
        self._uncommitted = 0

    def _commit(self) -> None:
        try:
            self._transaction.commit()
        except lmdb.Error as error:
            raise DataError(f"cannot write LMDB '{self.path}': {error}; is the disk full?") from error

    def keys(self) -> list[bytes]:
        """All keys in the database, in order."""
        return [bytes(key) for key in self._transaction.cursor().iternext(values=False)]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> Any:
        done = False
        try:
            if error is None:
                self._commit()
                done = True
            else:
                self._transaction.abort()
        finally:
            self._environment.close()
            if not done:
                self._remove_what_was_made()

    def _remove_what_was_made(self) -> None:
        """Removes the half of a new database, which a training would take for a whole one."""
        for name in self._made:
            with suppress(OSError):
                Path(self.path, name).unlink()
        if self._made:
            with suppress(OSError):  # the folder holds other files
                os.rmdir(self.path)
