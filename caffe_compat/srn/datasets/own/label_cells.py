"""Cells that hold several labels: `cat;dog`, `cat dog`, `["cat", "dog"]`."""

import ast
import json
import re
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from caffe_compat.errors import DataError
from caffe_compat.srn.datasets.own.reading import SEPARATORS, Reading

LONGEST_LIST = 65_536  # characters of a cell with a Python or JSON list
_BETWEEN_LABELS = re.compile("[;|]")
_LIST_ENDS = {"[": "]", "(": ")", "{": "}"}
#: Separators that label names hold as well, so that cells with them can be read in two ways.
_DOUBTFUL = {"comma": ",", "space": " "}
#: With so many times more different cells than different words, cells are combinations of words and no names.
_CELLS_PER_WORD = 2


class LabelCells(NamedTuple):
    """`split` makes the labels of a cell, given its place for messages; `note` says how cells are read."""

    split: Callable[[str, str], list[str]]
    note: str


def decide_label_cells(cells: Iterable[tuple[str, str]], reading: Reading) -> LabelCells:
    """How to split the cells of a column, given as (place, cell).

    Raises DataError if cells can be read in two ways and no flag decides.
    """
    if reading.separator:
        return _separated(SEPARATORS[reading.separator], f"cells of labels: separated by {reading.separator}")
    different: dict[str, str] = {}  # cell to its first place
    for place, cell in cells:
        if is_list(cell):
            return LabelCells(_by_form, "cells of labels: Python or JSON lists")
        different.setdefault(cell.strip(), place)
    if any(_BETWEEN_LABELS.search(cell) for cell in different):
        return LabelCells(_by_form, "cells of labels: separated by ; or |")
    for name, separator in _DOUBTFUL.items():
        several = {cell: place for cell, place in different.items() if separator in cell}
        if several:
            _refuse_if_doubtful(several, different, name)
            return _separated(separator, f"cells of labels: separated by {name}, as few words make up many cells")
    return LabelCells(_by_form, "cells of labels: one label each")


def _refuse_if_doubtful(several: dict[str, str], different: dict[str, str], name: str) -> None:
    words = {word for cell in different for word in _parts(cell, _DOUBTFUL[name])}
    if len(different) >= _CELLS_PER_WORD * len(words):
        return
    cell, place = next(iter(several.items()))
    parts = " and ".join(f"'{part}'" for part in _parts(cell, _DOUBTFUL[name]))
    raise DataError(
        f"{place}: '{cell[:80]}' can be read in two ways: as the labels {parts[:120]}, or as one label; give "
        f"--separator {name} for several labels in a cell, or --separator none for one"
    )


def is_list(cell: str) -> bool:
    """Whether a cell has the form of a Python or JSON list."""
    text = cell.strip()
    return len(text) > 1 and _LIST_ENDS.get(text[0]) == text[-1]


def listed_in(cell: str, owner: str) -> list[str]:
    """The labels of a cell that is a list of text or whole numbers; nothing in it is executed.

    Raises DataError for any other content.
    """
    values = _literal(cell.strip()) if len(cell) <= LONGEST_LIST else None
    if not isinstance(values, list | tuple | set) or not all(type(value) in (str, int) for value in values):
        raise DataError(f"{owner}: expected a list of label names such as ['cat', 'dog'], found '{cell.strip()[:80]}'")
    return [str(value).strip() for value in values]


def _literal(text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        pass
    try:
        # No code runs: literal_eval takes literals alone. Its memory is bounded by LONGEST_LIST.
        return [] if text in ("()", "{}") else ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return None


def _by_form(cell: str, owner: str) -> list[str]:
    if is_list(cell):
        return listed_in(cell, owner)
    return [label for part in _BETWEEN_LABELS.split(cell) if (label := part.strip())]


def _separated(separator: str | None, note: str) -> LabelCells:
    def split(cell: str, owner: str) -> list[str]:
        return listed_in(cell, owner) if is_list(cell) and separator is not None else list(_parts(cell, separator))

    return LabelCells(split, note)


def _parts(cell: str, separator: str | None) -> Sequence[str]:
    if separator is None:
        return [cell.strip()] if cell.strip() else []
    return [part.strip() for part in cell.split(separator) if part.strip()]
