"""The common interface of LMDB and LevelDB: key-value databases of Datum messages."""

from abc import ABC, abstractmethod
from typing import NamedTuple


class KeyValue(NamedTuple):
    """A record of a database: key and value as bytes."""

    key: bytes
    value: bytes | memoryview


class Database(ABC):
    """Records in the order of their keys, accessed by their number in that order."""

    path: str

    @abstractmethod
    def __len__(self) -> int:
        """The number of records."""

    @abstractmethod
    def record(self, ordinal: int) -> KeyValue:
        """The record with this number; fastest for the number after the last one requested."""

    @abstractmethod
    def check(self) -> None:
        """Reads the structure of the database; DataError where it is damaged."""

    @abstractmethod
    def close(self) -> None:
        """Closes the database's files."""
