"""Labels and scores from text: one image a line, one class a column, blanks or commas between."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import DTypeLike, NDArray

from caffe_compat.errors import DataError

_LABELS = {"1": 1, "0": 0, "-1": -1}
_FOREIGN = 2


def read_scores(path: Path) -> NDArray[np.float64]:
    """Raw scores (images, classes) as the released model_test.py saves them; DataError if one is not a number."""
    scores = read_matrix(path, np.float64)
    if np.isnan(scores).any():
        row, column = np.argwhere(np.isnan(scores))[0]
        raise DataError(
            f"{path}, line {_line_of_row(path, row)}: expected a score in column {column + 1}, found NaN; "
            "a net that diverged writes NaN: predict again with weights from before it did"
        )
    return scores


def read_labels(path: Path) -> NDArray[np.int8]:
    """Labels (images, classes): 1 present, 0 absent (WIDER: unspecified), -1 absent; DataError for any other value."""
    labels = read_matrix(path, np.float32)
    foreign = ~np.isin(labels, (-1, 0, 1))
    if foreign.any():
        row, column = np.argwhere(foreign)[0]
        raise _foreign_label(path, _line_of_row(path, row), column + 1, f"{labels[row, column]:g}")
    return labels.astype(np.int8)


def label_rows(path: Path) -> Iterator[tuple[int, NDArray[np.int8]]]:
    """The same, line by line: each row (classes,) with the number of its line. Memory does not grow with the file."""
    classes = None
    for number, line in numbered_lines(path):
        fields = _fields(line.strip())
        row = np.array([_LABELS[field] if field in _LABELS else _label(field) for field in fields], np.int8)
        classes = classes or len(row)
        if len(row) != classes:
            raise _wrong_width(path, number, classes, len(row))
        if (foreign := np.flatnonzero(row == _FOREIGN)).size:
            raise _foreign_label(path, number, foreign[0] + 1, fields[foreign[0]].strip())
        yield number, row


def read_matrix(path: Path, dtype: DTypeLike) -> NDArray[np.float64]:
    """Numbers of a text file, (lines, columns).

    numpy's own reader: since its parser is in C it reads 8.1 million scores in about 1.5 s, which no
    other reader at hand beats. It names no line of the file, so a file it refuses is read again to find one.
    """
    first = _first_line(path)
    try:
        return np.loadtxt(path, dtype=dtype, delimiter="," if "," in first else None, comments=None, ndmin=2)
    except ValueError as error:
        raise _complaint(path) from error


def _first_line(path: Path) -> str:
    first = next(numbered_lines(path), None)
    if first is None:
        raise DataError(
            f"{path}: expected one line of numbers an image, found an empty file; was it written to its end?"
        )
    return first[1]


def numbered_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Line numbers and texts of the lines that hold something: the rows of the matrix."""
    try:
        with path.open(encoding="utf-8", errors="replace") as lines:
            yield from ((number, line) for number, line in enumerate(lines, start=1) if line.strip())
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}); check the path") from error


def _fields(line: str) -> list[str]:
    return line.split(",") if "," in line else line.split()


def _line_of_row(path: Path, row: int) -> int:
    return next(number for index, (number, _) in enumerate(numbered_lines(path)) if index == row)


def _complaint(path: Path) -> DataError:
    """Name the first line that differs from the first in width, or that holds something other than numbers."""
    width = None
    for number, line in numbered_lines(path):
        fields = _fields(line)
        width = width or len(fields)
        if len(fields) != width:
            return _wrong_width(path, number, width, len(fields))
        for column, field in enumerate(fields, start=1):
            if not _is_number(field):
                return DataError(
                    f"{path}, line {number}: expected a number in column {column}, found '{field.strip()}'; "
                    "the file may hold numbers only: no header, no image names"
                )
    return DataError(f"{path}: expected numbers separated by blanks or commas, found a mixture; use one of the two")


def _label(field: str) -> int:
    """Also labels that were written as real numbers."""
    value = float(field) if _is_number(field) else _FOREIGN
    return int(value) if value in _LABELS.values() else _FOREIGN


def _wrong_width(path: Path, line: int, expected: int, found: int) -> DataError:
    return DataError(
        f"{path}, line {line}: expected {expected} numbers, as in the first line, found {found}; "
        "a run that was cut short leaves such a line: write the file again"
    )


def _foreign_label(path: Path, line: int, column: int, found: str) -> DataError:
    return DataError(
        f"{path}, line {line}: expected a label of 1, 0 or -1 in column {column}, found {found}; "
        "if these are scores, give them as --predictions"
    )


def _is_number(field: str) -> bool:
    try:
        float(field)
    except ValueError:
        return False
    return True
