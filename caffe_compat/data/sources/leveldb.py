"""LevelDB folders, as older Caffe files name them (db_leveldb.cpp); needs the extra `leveldb` (plyvel)."""

import os
import weakref
from typing import Any

from caffe_compat.data.regular_file import other_kind, shown
from caffe_compat.data.sources.database import Database, KeyValue
from caffe_compat.data.sources.environments import close_environment, open_environment
from caffe_compat.errors import DataError, MissingFeatureError

_CURE = "copy it again, or make it again with convert_imageset"


class LevelDb(Database):
    """Records of a LevelDB by number; all keys are read once, because LevelDB neither counts nor numbers records."""

    def __init__(self, path: str, owner: str) -> None:
        self.path = path
        self._owner = owner
        self._database = open_environment(path, owner, _open)
        # Runs even if `close` is never called. The path is absolute because the program may change its working folder.
        self._give_back = weakref.finalize(self, close_environment, os.path.realpath(path))
        self._keys = self._read_keys()
        if not self._keys:
            raise DataError(f"{owner}: LevelDB '{path}' is empty")

    def _read_keys(self) -> list[bytes]:
        try:
            return list(self._database.iterator(include_value=False, verify_checksums=True))
        except Exception as error:  # plyvel's own types, which exist only if plyvel is installed
            raise DataError(f"{self._owner}: LevelDB '{self.path}' is damaged: {_words(error)}; {_CURE}") from error

    def __len__(self) -> int:
        return len(self._keys)

    def record(self, ordinal: int) -> KeyValue:
        """The record with this number."""
        key = self._keys[ordinal]
        try:
            return KeyValue(key, self._database.get(key, verify_checksums=True))
        except Exception as error:  # plyvel's own types, which exist only if plyvel is installed
            near = key.decode(errors="replace")[:80]
            raise DataError(
                f"{self._owner}: LevelDB '{self.path}' is damaged at key '{near}': {_words(error)}; {_CURE}"
            ) from error

    def check(self) -> None:
        """Reads all values with their checksums; DataError at the first damaged value."""
        for ordinal in range(len(self)):
            self.record(ordinal)

    def close(self) -> None:
        """Ends this use; the database closes with its last user."""
        self._give_back()


def _words(error: Exception) -> str:
    """What LevelDB says of a failure; plyvel hands the words on as bytes."""
    said = error.args[0] if error.args else ""
    return shown(said.decode(errors="replace") if isinstance(said, bytes) else str(said))


def _require_files(path: str, owner: str) -> None:
    """Raises DataError for a folder or a pipe in the LevelDB's folder: LevelDB would wait for a pipe without end."""
    with os.scandir(path) as entries:
        for entry in entries:
            if kind := other_kind(entry.stat().st_mode):
                raise DataError(f"{owner}: LevelDB '{path}': expected files only, found {kind} '{entry.name}'; {_CURE}")


def _open(path: str, owner: str) -> Any:
    if os.path.exists(os.path.join(path, "data.mdb")):
        raise DataError(f"{owner}: '{path}' is an LMDB; set data_param.backend: LMDB (the default is LEVELDB)")
    if not os.path.isdir(path):
        raise DataError(f"{owner}: cannot open LevelDB '{path}': no such folder")
    _require_files(path, owner)
    try:
        import plyvel
    except ImportError as error:
        raise MissingFeatureError(
            f"{owner}: reading LevelDB '{path}' needs the package plyvel; install caffe-compat[leveldb]"
        ) from error
    try:
        return plyvel.DB(path, create_if_missing=False)
    except plyvel.Error as error:
        raise DataError(
            f"{owner}: cannot open LevelDB '{path}': {_words(error)}; LevelDB writes to a folder that it opens, and "
            "lets one process in: for several, or for folders that cannot be written, make an LMDB"
        ) from error
