"""Key-value databases of Datum messages: what is common to LMDB and LevelDB."""

from abc import ABC, abstractmethod
from typing import NamedTuple


class KeyValue(NamedTuple):
    """One record of a database."""

    key: bytes
    value: bytes | memoryview


class Database(ABC):
    """Records in key order, by their number in that order."""

    path: str

    @abstractmethod
    def __len__(self) -> int:
        """The number of records."""

    @abstractmethod
    def record(self, ordinal: int) -> KeyValue:
        """The record of this number; cheapest for the number that follows the last one asked for."""

    @abstractmethod
    def check(self) -> None:
        """Walks what the database is made of; DataError where it is damaged."""

    @abstractmethod
    def close(self) -> None:
        """Closes files."""
