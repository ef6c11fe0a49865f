"""Writes LevelDB folders like Caffe's tools (db_leveldb.cpp); needs the extra `leveldb` (plyvel).

It stands apart from `lmdb_writer`, which needs no extra.
"""

import os
import shutil
from types import TracebackType
from typing import Self

from caffe_compat.errors import DataError, MissingFeatureError
from caffe_compat.proto import caffe_pb2


class LevelDbWriter:
    """Context manager that writes Datum messages to a new LevelDB, and removes it if an exception leaves the block."""

    def __init__(self, path: str) -> None:
        if os.path.exists(path):
            raise DataError(f"LevelDB '{path}' exists already; remove it or name another folder")
        try:
            import plyvel
        except ImportError as error:
            raise MissingFeatureError(
                f"writing LevelDB '{path}' needs the package plyvel; install caffe-compat[leveldb], or write an LMDB"
            ) from error
        try:
            self._path, self._error = path, plyvel.Error
            self._database = plyvel.DB(path, create_if_missing=True, error_if_exists=True, block_size=65536)
        except (OSError, plyvel.Error) as error:
            shutil.rmtree(path, ignore_errors=True)
            raise DataError(f"cannot write LevelDB '{path}': {error}") from error

    def put(self, key: bytes, datum: caffe_pb2.Datum) -> None:
        """Adds a record; the value of an existing key is replaced."""
        try:
            self._database.put(key, datum.SerializeToString())
        except self._error as error:
            name = key.decode(errors="replace")
            raise DataError(f"cannot write record '{name}' to LevelDB '{self._path}': {error}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._database.close()
        if error is not None:  # a half database would be taken for a whole one
            shutil.rmtree(self._path, ignore_errors=True)
