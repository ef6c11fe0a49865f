"""A row of a user's own annotations, in whatever format it was written."""

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
    """The lines of a text file, one at a time, without a byte order mark before the first.

    Raises DataError if the file is not regular, or is no text in UTF-8.
    """
    check_regular_file(path, "annotations")
    try:
        with path.open(encoding="utf-8-sig", newline="") as lines:
            yield from lines
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else error  # an OSError names the path again
        raise DataError(f"{path}: cannot read the annotations: {reason}; expected text in UTF-8") from error
