"""From a record's number to its place in an LMDB, whose tree knows keys only.

Keys of convert_imageset begin with the record's number. The tree itself then finds record i in one descent, and opening
a database of ten million records reads nothing. Other keys need one walk over the leaf pages, which notes the first key
of every page: a record is then one descent and at most a page of steps away. Values lie on pages of their own.
"""

from bisect import bisect_right
from typing import Protocol

from caffe_compat.data.sources.lmdb_cursor import LmdbCursor
from caffe_compat.data.sources.lmdb_pages import node
from caffe_compat.errors import DataError

_DIGITS = 8


class KeyIndex(Protocol):
    """Places a cursor on the record of a number."""

    def seek(self, cursor: LmdbCursor, ordinal: int) -> None:
        """Moves the cursor to record `ordinal`."""


class NumberedKeys:
    """Keys '%08d_name', numbered without gaps."""

    def __init__(self, owner: str) -> None:
        self._owner = owner

    def seek(self, cursor: LmdbCursor, ordinal: int) -> None:
        """Moves the cursor to record `ordinal` in one descent of the tree."""
        prefix = b"%08d" % ordinal
        if not cursor.set_range(prefix) or cursor.key()[:_DIGITS] != prefix:
            raise DataError(
                f"{self._owner} has no record number {ordinal}, though its first and last keys count without gaps; "
                "write it again, with keys '%08d_name'"
            )


class FirstKeys:
    """Any keys: the first one of every leaf page, and its number."""

    def __init__(self, cursor: LmdbCursor) -> None:
        self._keys: list[bytes] = []
        self._numbers: list[int] = []
        total = 0
        for page, count in cursor.leaves():
            self._keys.append(node(page, 0).key)
            self._numbers.append(total)
            total += count

    def seek(self, cursor: LmdbCursor, ordinal: int) -> None:
        """Moves the cursor to record `ordinal`: one descent, then steps within a page."""
        place = bisect_right(self._numbers, ordinal) - 1
        cursor.set_range(self._keys[place])
        for _ in range(ordinal - self._numbers[place]):
            cursor.next()


def index_of(cursor: LmdbCursor, length: int, owner: str) -> KeyIndex:
    """The index that fits the database's keys, judged by the first and the last."""
    cursor.first()
    first = _number(cursor.key())
    cursor.last()
    last = _number(cursor.key())
    return NumberedKeys(owner) if (first, last) == (0, length - 1) else FirstKeys(cursor)


def _number(key: bytes) -> int | None:
    digits = key[:_DIGITS]
    return int(digits) if len(digits) == _DIGITS and digits.isdigit() else None
