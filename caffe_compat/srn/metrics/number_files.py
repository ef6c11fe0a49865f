"""Matrices of numbers from files of strangers: regular files only, sizes checked, cells quoted safely."""

import math
import tokenize
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import DTypeLike, NDArray

from caffe_compat.data.regular_file import other_kind
from caffe_compat.errors import DataError, FormatError

SHOWN_CHARACTERS = 40
NPY_HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}


def read_matrix(path: Path, dtype: DTypeLike) -> NDArray[np.float64]:
    """The numbers of a text or `.npy` file, shape (lines, columns).

    Raises DataError where the file cannot be read or a cell is no number, and FormatError for a damaged `.npy`.
    """
    require_regular_file(path)
    return _read_npy(path, dtype) if path.suffix == ".npy" else _read_text(path, dtype)


def require_regular_file(path: Path) -> None:
    """Raises DataError unless the path is a regular file, which can be read without waiting for a writer."""
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError) as error:  # a name with NUL is a ValueError
        reason = getattr(error, "strerror", None) or str(error)
        raise DataError(f"{path}: cannot be read ({reason}); check the path") from error
    if kind := other_kind(mode):
        raise DataError(f"{path}: expected a file, found {kind}; check the path")


def numbered_lines(path: Path) -> Iterator[tuple[int, str]]:
    """The number and text of each line that is not blank: these lines are the rows of the matrix."""
    require_regular_file(path)
    try:
        with path.open(encoding="utf-8", errors="replace") as lines:
            yield from ((number, line) for number, line in enumerate(lines, start=1) if line.strip())
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}); check the path") from error


def cells_of(line: str) -> list[str]:
    """The cells of a line, separated by commas where it has any, otherwise by blanks."""
    return line.split(",") if "," in line else line.split()


def place_of(path: Path, row: int, column: int) -> str:
    """Where a cell of the matrix stands, as an error names it: `column 3, line 7`."""
    if path.suffix == ".npy":
        return f"row {row + 1}, column {column + 1}"
    number = next(number for index, (number, _) in enumerate(numbered_lines(path)) if index == row)
    return f"line {number}, column {column + 1}"


def shown(cell: str) -> str:
    """A cell as an error quotes it: ASCII only, control characters escaped, long ones shortened."""
    text = ascii(cell.strip())[1:-1]
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}..."


def is_number(cell: str) -> bool:
    """Whether NumPy's reader takes the cell as a number; Python's `float` also takes `1_000`."""
    try:
        float(cell)
    except ValueError:
        return False
    return "_" not in cell


def wrong_width(path: Path, line: int, expected: int, found: int) -> DataError:
    """The error for a line that is longer or shorter than the first one."""
    return DataError(
        f"{path}, line {line}: expected {expected} numbers, as in the first line, found {found}; "
        "a run that was cut short leaves such a line: write the file again"
    )


def _read_text(path: Path, dtype: DTypeLike) -> NDArray[np.float64]:
    """Read text with NumPy's parser, which is written in C: 8.1 million scores take about 1.5 s.

    NumPy's messages name no line of the file, so a file that it refuses is read again to find the line.
    """
    first = next(numbered_lines(path), None)
    if first is None:
        raise DataError(
            f"{path}: expected one line of numbers per image, found an empty file; was it written to its end?"
        )
    try:
        numbers = np.loadtxt(path, dtype=dtype, delimiter="," if "," in first[1] else None, comments=None, ndmin=2)
    except ValueError as error:
        raise _complaint(path) from error
    if np.isinf(numbers).any():
        _require_written_infinity(path, numbers)
    return np.asarray(numbers)


def _require_written_infinity(path: Path, numbers: NDArray[np.float64]) -> None:
    """`inf` in a file is a value; digits that are too large for the type, such as 1e999, are a damaged file."""
    rows = set(np.flatnonzero(np.isinf(numbers).any(axis=1)).tolist())
    for row, (number, line) in enumerate(numbered_lines(path)):
        for column, cell in enumerate(cells_of(line) if row in rows else (), start=1):
            if np.isinf(numbers[row, column - 1]) and any(character.isdigit() for character in cell):
                raise DataError(
                    f"{path}, line {number}: expected a number that fits {numbers.dtype} in column {column}, "
                    f"found '{shown(cell)}'; write the file again"
                )


def _complaint(path: Path) -> DataError:
    """Name the first line that differs from the first in width, or the first cell that is no number."""
    width = None
    for number, line in numbered_lines(path):
        cells = cells_of(line)
        width = width or len(cells)
        if len(cells) != width:
            return wrong_width(path, number, width, len(cells))
        for column, cell in enumerate(cells, start=1):
            if not is_number(cell):
                return DataError(
                    f"{path}, line {number}: expected a number in column {column}, found '{shown(cell)}'; "
                    "the file may hold numbers only: no header, no image names"
                )
    return DataError(f"{path}: expected numbers separated by blanks or commas, found a mixture; use one of the two")


def _read_npy(path: Path, dtype: DTypeLike) -> NDArray[np.float64]:
    """Read an array of two axes; the header's size must be that of the file before memory is taken."""
    with path.open("rb") as file:
        shape, kind = _npy_header(path, file)
        held, needed = path.stat().st_size - file.tell(), kind.itemsize * math.prod(shape)
        if held != needed or not needed:
            raise FormatError(
                f"{path}: expected {needed} bytes of numbers for an array of {shape[0]} x {shape[1]}, found {held}; "
                "the file is empty or was cut short: save the array again"
            )
    return np.asarray(np.load(path, allow_pickle=False), dtype)


def _npy_header(path: Path, file: BinaryIO) -> tuple[tuple[int, ...], "np.dtype[np.generic]"]:
    """The shape and type that the header of a `.npy` file states; the file is left where the numbers start."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # headers of Python 2 take NumPy longer
            shape, _, kind = NPY_HEADERS[np.lib.format.read_magic(file)](file)
    except (ValueError, SyntaxError, TypeError, KeyError, RecursionError, MemoryError, tokenize.TokenError) as error:
        raise FormatError(f"{path}: expected a NumPy file, found a damaged header; save the array again") from error
    if kind.kind not in "biuf" or len(shape) != 2 or min(shape) < 0:
        raise FormatError(
            f"{path}: expected an array of numbers (images, classes), found {kind.name} of {len(shape)} axes; "
            "save the scores as a matrix of floats"
        )
    return shape, kind
