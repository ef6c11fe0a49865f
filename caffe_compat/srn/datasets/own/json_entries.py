"""Entries of annotations in JSON: the name of an image and its labels."""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import NamedTuple

from caffe_compat.errors import DataError, ShapeError
from caffe_compat.srn.datasets.own.cells import EMPTY, token_of
from caffe_compat.srn.datasets.own.numbers import hold_values
from caffe_compat.srn.datasets.own.reading import Reading
from caffe_compat.srn.datasets.own.rows import OwnFormat, OwnRow, listed
from caffe_compat.srn.datasets.own.table_columns import IMAGE, LABEL_LISTS


class Entry(NamedTuple):
    """Labels as JSON has them; `owner` is the place of the entry, for messages."""

    owner: str
    name: str
    labels: object


def entry_of(found: object, owner: str) -> Entry:
    """The entry of an object such as {"image": "a.jpg", "labels": ["cat"]}. Raises DataError for anything else."""
    name, labels = _member(found, IMAGE), _member(found, LABEL_LISTS)
    if not isinstance(name, str) or labels is None:
        raise DataError(
            f'{owner}: expected an object such as {{"image": "a.jpg", "labels": ["cat"]}}, found {str(found)[:80]}'
        )
    return Entry(owner, name, labels)


def format_of(entries: Callable[[], Iterator[Entry]], path: Path, reading: Reading) -> OwnFormat:
    """The rows of entries, which are read once beforehand: lists of numbers can be values or numbers of labels."""
    numbers = [(entry.owner, list(map(str, entry.labels))) for entry in entries() if isinstance(entry.labels, list)]
    if not numbers or not _all_numbers(entries) or not hold_values(numbers, reading):
        return OwnFormat(partial(_rows, entries), None, path.parent, ["an entry per image with its labels"])
    names = [str(column) for column in range(len(numbers[0][1]))]
    return OwnFormat(partial(_valued, entries, names), names, path.parent, ["lists of numbers: a value for each label"])


def _all_numbers(entries: Callable[[], Iterator[Entry]]) -> bool:
    return all(
        isinstance(entry.labels, list) and all(type(label) in (int, float) for label in entry.labels)
        for entry in entries()
    )


def _rows(entries: Callable[[], Iterator[Entry]]) -> Iterator[OwnRow]:
    """Labels that an object does not name have no value."""
    for owner, name, labels in entries():
        if isinstance(labels, dict):
            cells = {label: token_of(_text(value), owner, label) for label, value in labels.items()}
            yield OwnRow(owner, name, cells, rest=EMPTY)
        elif isinstance(labels, list) and all(type(label) in (str, int) for label in labels):
            yield OwnRow(owner, name, listed(str(label).strip() for label in labels))
        else:
            raise DataError(
                f"{owner}: expected a list of label names, or an object of labels and 1, 0 or -1, found "
                f"{str(labels)[:80]}"
            )


def _valued(entries: Callable[[], Iterator[Entry]], names: list[str]) -> Iterator[OwnRow]:
    for owner, name, labels in entries():
        values = labels if isinstance(labels, list) else []
        if len(values) != len(names):
            raise ShapeError(f"{owner}: expected {len(names)} values, as in the first entry, found {len(values)}")
        cells = {label: token_of(str(value), owner, label) for label, value in zip(names, values, strict=True)}
        yield OwnRow(owner, name, cells)


def _member(found: object, names: set[str]) -> object:
    if not isinstance(found, Mapping):
        return None
    return next((value for key, value in found.items() if key.lower() in names), None)


def _text(value: object) -> str:
    return "" if value is None else str(value)
