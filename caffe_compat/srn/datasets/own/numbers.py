"""Rows of numbers after an image's name: a value for each label (0 1 1), or numbers of labels (0 2)."""

from collections.abc import Iterable, Sequence

from caffe_compat.errors import DataError
from caffe_compat.srn.datasets.own.cells import EMPTY, find_token
from caffe_compat.srn.datasets.own.reading import Reading


def hold_values(rows: Iterable[tuple[str, Sequence[str]]], reading: Reading) -> bool:
    """Whether rows, given as (place, numbers), hold a value for each label, and not numbers of labels.

    Raises DataError where they can hold either and no flag decides.
    """
    if reading.label_cells:
        return reading.label_cells == "values"
    first, length = ("", [""]), -1
    repeats = False
    for place, numbers in rows:
        if length < 0:
            first, length = (place, list(numbers)), len(numbers)
        if len(numbers) != length or any(find_token(number) in (None, EMPTY) for number in numbers):
            return False
        repeats |= len(set(numbers)) < len(numbers) or "-1" in numbers  # no list names a label twice
    if length < 1 or repeats:
        return length > 0
    raise DataError(
        f"{first[0]}: '{' '.join(first[1])[:40]}' can be read in two ways: as a value for each label, or as numbers "
        "of labels; give --label-cells values or --label-cells names"
    )
