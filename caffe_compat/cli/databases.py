"""--backend: the databases that commands write and read."""

from caffe_compat.cli.flags import FlagError
from caffe_compat.data.leveldb_writer import LevelDbWriter
from caffe_compat.data.lmdb_writer import LmdbWriter
from caffe_compat.data.sources.database import Database
from caffe_compat.data.sources.leveldb import LevelDb
from caffe_compat.data.sources.lmdb import Lmdb

#: A new database of Datum messages; a context manager.
Writer = LmdbWriter | LevelDbWriter


def create_database(backend: str, path: str) -> Writer:
    """A new database; one that exists is an error."""
    _check(backend)
    return LmdbWriter(path) if backend == "lmdb" else LevelDbWriter(path)


def open_database(backend: str, path: str, owner: str) -> Database:
    """A database to read; `owner` starts the messages of errors."""
    _check(backend)
    return Lmdb(path, owner) if backend == "lmdb" else LevelDb(path, owner)


def _check(backend: str) -> None:
    if backend not in ("lmdb", "leveldb"):
        raise FlagError(f"Unknown database backend '{backend}'; expected lmdb or leveldb")
