"""Annotations in CSV with a header: a column a label with 1, 0 or -1, or one column that names the labels."""

import csv
import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from caffe_compat.errors import DataError
from caffe_compat.srn.datasets.own_rows import OwnFormat, OwnRow, text_lines, value_of

_DELIMITERS = {".tsv": "\t"}
_LABEL_LIST = ("labels", "tags")  # names of a second column that lists labels
_BETWEEN_LABELS = re.compile("[;|]")


def read_csv(path: Path) -> OwnFormat:
    """The first column is the image. Raises DataError for a header or row that does not fit."""
    header = next(_records(path), (1, []))[1]
    if len(header) < 2:
        raise DataError(
            f"{path}: expected a header with an image column and at least one more, found {len(header)} columns; "
            "columns are separated by commas, in a .tsv file by tabs"
        )
    if len(header) == 2 and header[1].strip().lower() in _LABEL_LIST:
        return OwnFormat(partial(_listed, path), None, path.parent)
    names = [name.strip() for name in header[1:]]
    return OwnFormat(partial(_columns, path, names), names, path.parent)


def _records(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Line numbers and cells."""
    reader = csv.reader(text_lines(path), delimiter=_DELIMITERS.get(path.suffix.lower(), ","))
    try:
        yield from ((reader.line_num, cells) for cells in reader if cells)
    except csv.Error as error:
        raise DataError(f"{path}, line {reader.line_num}: {error}; is a quotation mark left open?") from error


def _body(path: Path, columns: int) -> Iterator[tuple[str, list[str]]]:
    records = _records(path)
    next(records)
    for line, cells in records:
        owner = f"{path}, line {line}"
        if len(cells) != columns:
            raise DataError(f"{owner}: expected {columns} columns, as in the header, found {len(cells)}")
        yield owner, cells


def _listed(path: Path) -> Iterator[OwnRow]:
    for owner, (name, listed) in _body(path, 2):
        labels = (label.strip() for label in _BETWEEN_LABELS.split(listed))
        yield OwnRow(owner, name, {label: 1 for label in labels if label})


def _columns(path: Path, names: list[str]) -> Iterator[OwnRow]:
    for owner, (name, *cells) in _body(path, 1 + len(names)):
        values = {label: value_of(cell, owner, label) for label, cell in zip(names, cells, strict=True)}
        yield OwnRow(owner, name, values)
