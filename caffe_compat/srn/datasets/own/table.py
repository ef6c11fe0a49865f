"""Annotations in CSV or TSV: a column per label, one column that lists labels, or a row per image and label."""

import csv
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from caffe_compat.errors import DataError
from caffe_compat.srn.datasets.own.cells import EMPTY, find_token, token_of
from caffe_compat.srn.datasets.own.label_cells import LabelCells, decide_label_cells
from caffe_compat.srn.datasets.own.reading import Reading
from caffe_compat.srn.datasets.own.rows import SPLIT_WORDS, OwnFormat, OwnRow, listed, text_lines
from caffe_compat.srn.datasets.own.table_columns import LABEL_LISTS, Columns, decide_columns

_DELIMITERS = (",", "\t", ";")


class _Table(NamedTuple):
    """`wanted` are the values of the split column whose rows are read."""

    path: Path
    delimiter: str
    columns: Columns
    wanted: Sequence[str]


def read_table(path: Path, reading: Reading, split: str = "train", rows: str = "") -> OwnFormat:
    """The rows of a split; `rows` is the value of a split column that the user asks for, "" for the split's name.

    Raises DataError for a header or, when rows are read, for a row that does not fit.
    """
    delimiter = _delimiter(path)
    (_, first), (_, second) = [*islice(_records(path, delimiter), 2), (1, []), (1, [])][:2]
    columns = decide_columns(str(path), first, second, reading)
    table = _Table(path, delimiter, columns, (rows.lower(),) if rows else SPLIT_WORDS[split])
    notes = list(_split_notes(table, rows))
    if columns.left_out:
        notes.append(f"columns left out: {', '.join(columns.left_out)}")
    if columns.value >= 0:
        note = f"rows of an image, a label ('{columns.names[0]}') and its value"
        return OwnFormat(partial(_pairs, table), None, path.parent, [*notes, note])
    if _holds_values(table, reading):
        return OwnFormat(partial(_values, table), columns.names, path.parent, notes)
    cells = decide_label_cells(_label_cells(table), reading)
    return OwnFormat(partial(_listed, table, cells), None, path.parent, [*notes, cells.note])


def _delimiter(path: Path) -> str:
    if path.suffix.lower() == ".tsv":
        return "\t"
    first = next(text_lines(path), "")
    return next((delimiter for delimiter in _DELIMITERS if delimiter in first), ",")


def _records(path: Path, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Line numbers and cells."""
    reader = csv.reader(text_lines(path), delimiter=delimiter)
    try:
        yield from ((reader.line_num, cells) for cells in reader if cells)
    except csv.Error as error:
        raise DataError(f"{path}, line {reader.line_num}: {error}; is a quotation mark left open?") from error


def _body(table: _Table, every_split: bool = False) -> Iterator[tuple[str, list[str]]]:
    """Places and cells of the wanted split's rows."""
    columns, width = table.columns, 0
    for line, cells in _records(table.path, table.delimiter):
        if not width:
            width = len(cells)
            if columns.has_header:
                continue
        owner = f"{table.path}, line {line}"
        if len(cells) != width:
            raise DataError(f"{owner}: expected {width} columns, as in the header, found {len(cells)}")
        if every_split or columns.split < 0 or cells[columns.split].strip().lower() in table.wanted:
            yield owner, cells


def _split_notes(table: _Table, asked: str) -> Iterable[str]:
    """Raises DataError if the split column has no row of the split."""
    place = table.columns.split
    if place < 0:
        if asked:
            raise DataError(f"{table.path}: expected a column that tells splits apart, for rows '{asked}', found none")
        return
    counts: dict[str, int] = {}
    for _, cells in _body(table, every_split=True):
        value = cells[place].strip().lower()
        counts[value] = counts.get(value, 0) + 1
    if not any(value in table.wanted for value in counts):
        raise DataError(
            f"{table.path}: expected rows of split '{table.wanted[0]}', found "
            f"{', '.join(f'{number} of {value!r}' for value, number in counts.items())[:200]}; name the rows to read, "
            f"such as --test-rows {next(iter(counts), 'test')}"
        )
    passed = {value: number for value, number in counts.items() if value not in table.wanted}
    if passed:
        yield "rows of other splits passed over: " + ", ".join(
            f"{number:,} {value}" for value, number in passed.items()
        )


def _holds_values(table: _Table, reading: Reading) -> bool:
    """Whether label cells are values. Raises DataError if numbers can be values or names."""
    if not table.columns.one_list:
        return True
    if reading.label_cells:
        return reading.label_cells == "values"
    name = table.columns.names[0]
    tokens = {find_token(cell) for _, cell in _label_cells(table)}
    if None in tokens or tokens == {EMPTY}:
        return False
    if table.columns.has_header and name.lower() not in LABEL_LISTS:
        return True
    owner, cell = next((owner, cell) for owner, cell in _label_cells(table) if find_token(cell) != EMPTY)
    raise DataError(
        f"{owner}: '{cell}' in column '{name}' can be read in two ways: as the name of a label, or as the value of a "
        f"label '{name}'; give --label-cells names or --label-cells values"
    )


def _label_cells(table: _Table) -> Iterator[tuple[str, str]]:
    place = table.columns.labels[0]
    return ((owner, cells[place]) for owner, cells in _body(table))


def _listed(table: _Table, label_cells: LabelCells) -> Iterator[OwnRow]:
    (place,) = table.columns.labels
    for owner, cells in _body(table):
        yield OwnRow(owner, cells[table.columns.image], listed(label_cells.split(cells[place], owner)))


def _values(table: _Table) -> Iterator[OwnRow]:
    columns = table.columns
    for owner, cells in _body(table):
        values = {
            label: token_of(cells[place], owner, label)
            for place, label in zip(columns.labels, columns.names, strict=True)
        }
        yield OwnRow(owner, cells[columns.image], values)


def _pairs(table: _Table) -> Iterator[OwnRow]:
    """A label of which no row of an image speaks has no value."""
    columns = table.columns
    for owner, cells in _body(table):
        label = cells[columns.labels[0]].strip()
        yield OwnRow(owner, cells[columns.image], {label: token_of(cells[columns.value], owner, label)}, rest=EMPTY)
