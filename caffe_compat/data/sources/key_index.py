"""Finds a record of an LMDB by its number, although LMDB's tree is ordered by keys only.

Keys of convert_imageset begin with the record's number. For such keys, one descent of the tree finds a record, and
opening a database of ten million records reads no pages in advance.

Other keys need one pass over the leaf pages, which stores the first key of every page. A record is then one descent and
at most a page of steps away. Large values lie on separate pages, which the pass does not read.
"""

from bisect import bisect_right
from typing import Protocol

from caffe_compat.data.sources.lmdb_tree import LmdbCursor, node
from caffe_compat.errors import DataError

_DIGITS = 8


class KeyIndex(Protocol):
    """Moves a cursor to the record with a given number."""

    def seek(self, cursor: LmdbCursor, ordinal: int) -> None:
        """Moves the cursor to record `ordinal`."""


class NumberedKeys:
    """For keys '%08d_name' that are numbered without gaps."""

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
    """For any keys: stores the first key of every leaf page with its record number."""

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
    """The index for the database's kind of keys, judged by the first and the last key."""
    cursor.first()
    first = _number(cursor.key())
    cursor.last()
    last = _number(cursor.key())
    return NumberedKeys(owner) if (first, last) == (0, length - 1) else FirstKeys(cursor)


def _number(key: bytes) -> int | None:
    digits = key[:_DIGITS]
    return int(digits) if len(digits) == _DIGITS and digits.isdigit() else None
