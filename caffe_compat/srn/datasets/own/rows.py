"""A row of a user's own annotations, in whatever format it was written."""

import codecs
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from caffe_compat.errors import DataError
from caffe_compat.srn.datasets.own.cells import NOT_LISTED
from caffe_compat.srn.datasets.regular_file import check_regular_file

#: Names of the values of a column that tells the splits of rows apart.
SPLIT_WORDS = {
    "train": ("train", "training", "trainval"),
    "val": ("val", "valid", "validation", "dev"),
    "test": ("test", "testing"),
}


class OwnRow(NamedTuple):
    """An image and its label cells, whose kinds own.cells defines.

    `rest` is the kind of every label that the row does not name. `owner` is the place of the row, for messages.
    """

    owner: str
    name: str
    cells: Mapping[str, str]
    rest: str = NOT_LISTED


class OwnFormat(NamedTuple):
    """Annotations of a split. `rows` reads the file anew at each call.

    `class_names` is None where rows alone tell which labels there are. Names of images count from `root` if the user
    gives no other folder. `notes` say how the annotations were read.
    """

    rows: Callable[[], Iterator[OwnRow]]
    class_names: Sequence[str] | None
    root: Path
    notes: Sequence[str] = ()


def listed(labels: Iterable[str]) -> dict[str, str]:
    """The cells of a row that lists the labels which are present."""
    return dict.fromkeys((label for label in labels if label), "1")


def text_lines(path: Path) -> Iterator[str]:
    """The lines of a text file in UTF-8 or UTF-16, one at a time, without a byte order mark before the first.

    Raises DataError if the file is not regular, or is text of another encoding.
    """
    check_regular_file(path, "annotations")
    try:
        with path.open(encoding=_encoding(path), newline="") as lines:
            yield from lines
    except OSError as error:
        raise DataError(f"{path}: cannot read the annotations: {error.strerror}; check the path") from error
    except UnicodeError as error:
        raise DataError(
            f"{path}: cannot read the annotations: {error}; expected text in UTF-8; iconv -f WINDOWS-1252 -t UTF-8 "
            "turns text of old Windows programs into it"
        ) from error


def _encoding(path: Path) -> str:
    """UTF-16 where the file begins with its byte order mark, as "Unicode text" of Excel does, else UTF-8."""
    with path.open("rb") as file:
        return "utf-16" if file.read(2) in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE) else "utf-8-sig"
