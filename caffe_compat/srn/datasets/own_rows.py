"""A row of a user's own annotations, in whatever format it was written."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from caffe_compat.errors import DataError


class OwnRow(NamedTuple):
    """An image and its labels: 1 present, -1 known to be absent; labels not named are absent or unspecified.

    `owner` says where the row stands, for messages.
    """

    owner: str
    name: str
    labels: dict[str, int]


class OwnFormat(NamedTuple):
    """`rows` reads anew at each call; `class_names` is None where rows alone tell which labels there are.

    `root` is where names count from if the user does not say.
    """

    rows: Callable[[], Iterator[OwnRow]]
    class_names: Sequence[str] | None
    root: Path


VALUES = {"1": 1, "0": 0, "-1": -1, "": 0}


def value_of(cell: str, owner: str, label: str) -> int:
    """A cell of text as 1, 0 or -1; nothing is 0. Raises DataError for anything else."""
    if cell.strip() not in VALUES:
        raise DataError(f"{owner}: expected 1, 0, -1 or nothing for label '{label}', found '{cell}'")
    return VALUES[cell.strip()]


def text_lines(path: Path) -> Iterator[str]:
    """The lines of a text file, one at a time, without the mark that some programs put before the first.

    Raises DataError if it cannot be read.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as lines:
            yield from lines
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else error  # an OSError names the path again
        raise DataError(f"{path}: cannot read the annotations: {reason}; expected text in UTF-8") from error
