"""From a record's number to its place in an LMDB, whose tree knows keys only.

Keys of convert_imageset begin with the record's number, so the tree itself finds record i in one descent, and nothing
is read when a database of ten million records opens. Other keys are walked once (keys only; the values lie on pages of
their own), and every 256th is kept: a record is then one descent and at most 255 steps away.
"""

from typing import Any, Protocol

from caffe_compat.errors import DataError

_DIGITS = 8
_ANCHOR_EVERY = 256


class KeyIndex(Protocol):
    """Places a cursor on the record of a number."""

    def seek(self, cursor: Any, ordinal: int) -> None:
        """Moves the cursor there."""


class NumberedKeys:
    """Keys '%08d_name', numbered without gaps."""

    def __init__(self, owner: str) -> None:
        self._owner = owner

    def seek(self, cursor: Any, ordinal: int) -> None:
        """One descent of the tree."""
        prefix = b"%08d" % ordinal
        if not cursor.set_range(prefix) or bytes(cursor.key()[:_DIGITS]) != prefix:
            raise DataError(
                f"{self._owner} has no record number {ordinal}, though its first and last keys count without gaps; "
                "write it again, with keys '%08d_name'"
            )


class AnchoredKeys:
    """Any keys: every 256th of them."""

    def __init__(self, transaction: Any) -> None:
        keys = transaction.cursor().iternext(keys=True, values=False)
        self._anchors = [bytes(key) for number, key in enumerate(keys) if number % _ANCHOR_EVERY == 0]

    def seek(self, cursor: Any, ordinal: int) -> None:
        """One descent and a walk."""
        anchor, steps = divmod(ordinal, _ANCHOR_EVERY)
        cursor.set_key(self._anchors[anchor])
        for _ in range(steps):
            cursor.next()


def index_of(transaction: Any, length: int, owner: str) -> KeyIndex:
    """The index that fits the database's keys, judged by the first and the last."""
    cursor = transaction.cursor()
    cursor.first()
    first = _number(cursor.key())
    cursor.last()
    last = _number(cursor.key())
    return NumberedKeys(owner) if (first, last) == (0, length - 1) else AnchoredKeys(transaction)


def _number(key: memoryview) -> int | None:
    digits = bytes(key[:_DIGITS])
    return int(digits) if len(digits) == _DIGITS and digits.isdigit() else None
