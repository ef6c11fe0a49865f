"""A source made of several databases: `source: "train_*_lmdb"`, or a text file with one folder per line."""

import glob
import os
from bisect import bisect_right
from collections.abc import Callable
from itertools import accumulate

from caffe_compat.data.regular_file import open_text
from caffe_compat.data.sources.database import Database, KeyValue
from caffe_compat.errors import DataError


class Shards(Database):
    """Several databases in sequence, as a single database."""

    def __init__(self, path: str, databases: list[Database]) -> None:
        self.path = path
        self._databases = databases
        self._ends = list(accumulate(len(database) for database in databases))

    def __len__(self) -> int:
        return self._ends[-1]

    def record(self, ordinal: int) -> KeyValue:
        """The record with this number, counted over all shards."""
        shard = bisect_right(self._ends, ordinal)
        start = self._ends[shard - 1] if shard else 0
        return self._databases[shard].record(ordinal - start)

    def check(self) -> None:
        """Checks all shards."""
        for database in self._databases:
            database.check()

    def close(self) -> None:
        """Closes all shards."""
        for database in self._databases:
            database.close()


def open_shards(source: str, owner: str, open_one: Callable[[str, str], Database]) -> Database:
    """The database of a source; for a pattern or a list file, all matching databases in order."""
    paths = _paths(source, owner)
    databases = [open_one(path, owner) for path in paths]
    return databases[0] if len(databases) == 1 else Shards(source, databases)


def _paths(source: str, owner: str) -> list[str]:
    if os.path.isfile(source):
        with open_text(source, owner) as lines:
            paths = [line.strip() for line in lines if line.strip()]
    elif glob.has_magic(source) and not os.path.isdir(source):
        paths = sorted(glob.glob(source))
    else:
        return [source]
    if not paths:
        raise DataError(f"{owner}: source '{source}' names no database")
    return paths
