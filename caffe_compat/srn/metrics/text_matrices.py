"""Labels and scores from files: one image per line, one class per column, blanks or commas between; or `.npy`."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from caffe_compat.errors import DataError
from caffe_compat.srn.metrics.number_files import (
    cells_of,
    is_number,
    numbered_lines,
    place_of,
    read_matrix,
    shown,
    wrong_width,
)

#: In a matrix of labels: whether the image has the class is not known, and no figure counts the cell.
UNKNOWN = 2
_LABELS = {"1": 1, "0": 0, "-1": -1}
_FOREIGN = 3


def read_scores(path: Path) -> NDArray[np.float64]:
    """Scores (images, classes) as the released model_test.py saves them; DataError if one is not a number."""
    scores = read_matrix(path, np.float64)
    if np.isnan(scores).any():
        raise DataError(
            f"{path}, {place_of(path, *np.argwhere(np.isnan(scores))[0])}: expected a score, found NaN; "
            "a net that diverged writes NaN: predict again with weights from before it did"
        )
    return scores


def read_labels(path: Path, ignore: float | None = None) -> NDArray[np.int8]:
    """Labels (images, classes): 1 present, 0 and -1 absent, UNKNOWN where the file has the value `ignore`.

    In WIDER-Attribute's files 0 means unspecified. `ignore` may be NaN. Raises DataError for any other value.
    """
    values = read_matrix(path, np.float32)
    unknown = np.zeros(values.shape, bool) if ignore is None else _equals(values, ignore)
    foreign = ~np.isin(values, (-1, 0, 1)) & ~unknown
    if foreign.any():
        row, column = np.argwhere(foreign)[0]
        raise _foreign_label(f"{path}, {place_of(path, row, column)}", f"{values[row, column]:g}")
    return np.where(unknown, UNKNOWN, values).astype(np.int8)


def label_rows(path: Path) -> Iterator[tuple[int, NDArray[np.int8]]]:
    """The labels 1, 0 and -1 of a text file, line by line: the line's number and its row (classes,).

    Memory does not grow with the file. Raises DataError as `read_labels` does.
    """
    classes = None
    for number, line in numbered_lines(path):
        cells = cells_of(line.strip())
        row = np.array([_LABELS[cell] if cell in _LABELS else _label(cell) for cell in cells], np.int8)
        classes = classes or len(row)
        if len(row) != classes:
            raise wrong_width(path, number, classes, len(row))
        if (foreign := np.flatnonzero(row == _FOREIGN)).size:
            raise _foreign_label(f"{path}, line {number}, column {foreign[0] + 1}", shown(cells[foreign[0]]))
        yield number, row


def _equals(values: NDArray[np.float64], wanted: float) -> NDArray[np.bool_]:
    return np.isnan(values) if np.isnan(wanted) else values == np.float32(wanted)


def _label(cell: str) -> int:
    """Also labels that were written as real numbers, such as 1.0."""
    value = float(cell) if is_number(cell) else _FOREIGN
    return int(value) if value in _LABELS.values() else _FOREIGN


def _foreign_label(place: str, found: str) -> DataError:
    return DataError(
        f"{place}: expected a label of 1, 0 or -1, found {found}; "
        "if these are scores, give them as --predictions; if the value means unknown, give it as --ignore"
    )
