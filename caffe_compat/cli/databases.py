"""--backend: the databases that commands write and read."""

from collections.abc import Callable

from caffe_compat.data.leveldb_writer import LevelDbWriter
from caffe_compat.data.lmdb_writer import LmdbWriter
from caffe_compat.data.sources.database import Database
from caffe_compat.data.sources.leveldb import LevelDb
from caffe_compat.data.sources.lmdb import Lmdb

#: A new database of Datum messages; a context manager.
Writer = LmdbWriter | LevelDbWriter

_WRITERS: dict[str, Callable[[str], Writer]] = {"lmdb": LmdbWriter, "leveldb": LevelDbWriter}
_READERS: dict[str, Callable[[str, str], Database]] = {"lmdb": Lmdb, "leveldb": LevelDb}
#: The values of --backend.
BACKENDS = tuple(_READERS)


def create_database(backend: str, path: str) -> Writer:
    """Returns a new, empty database; a path that exists is an error."""
    return _WRITERS[backend](path)


def open_database(backend: str, path: str, owner: str) -> Database:
    """Returns a database for reading; error messages start with `owner`."""
    return _READERS[backend](path, owner)
