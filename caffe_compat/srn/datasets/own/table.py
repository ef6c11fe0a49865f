"""Annotations in CSV or TSV: a column per label, one column that lists labels, or a row per image and label."""

import csv
import re
import shlex
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from caffe_compat.errors import DataError, ShapeError
from caffe_compat.srn.datasets.own.cells import EMPTY, find_token, token_of
from caffe_compat.srn.datasets.own.label_cells import LabelCells, decide_label_cells
from caffe_compat.srn.datasets.own.numbers import hold_values
from caffe_compat.srn.datasets.own.reading import Reading
from caffe_compat.srn.datasets.own.rows import SPLIT_WORDS, OwnFormat, OwnRow, listed, text_lines
from caffe_compat.srn.datasets.own.table_columns import LABEL_LISTS, Columns, decide_columns

_DELIMITERS = (",", "\t", ";")
_QUOTED = re.compile(r'"[^"]*"')
#: The line with which Excel names the delimiter, above the header.
_NAMED_DELIMITER = re.compile(r"sep=(.)\s*", re.IGNORECASE)
_LINE_BREAK = re.compile(r"[\r\n]")
_SAMPLE = 1000  # rows that show which column is what


class _Table(NamedTuple):
    """`wanted` are the values of the split column whose rows are read."""

    path: Path
    delimiter: str
    columns: Columns
    wanted: Sequence[str]


def read_table(
    path: Path,
    reading: Reading,
    split: str = "train",
    rows: str = "",
    class_names: Sequence[str] | None = None,
) -> OwnFormat:
    """The rows of a split; `rows` is the value of a split column that the user asks for, "" for the split's name.

    Values without a header are called by `class_names`, or else numbered from 0. Raises DataError for a header or,
    when rows are read, for a row that does not fit.
    """
    delimiter = _delimiter(path)
    first, *sample = [cells for _, cells in islice(_records(path, delimiter), 1 + _SAMPLE)] or [[]]
    columns = decide_columns(str(path), first, sample, reading, bool(rows))
    if class_names and not columns.has_header and not columns.one_list:
        columns = columns._replace(names=_called(path, len(columns.labels), class_names))
    table = _Table(path, delimiter, columns, (rows.lower(),) if rows else SPLIT_WORDS[split])
    notes = list(_split_notes(table, split, rows))
    if columns.left_out:
        notes.append(f"columns left out: {', '.join(columns.left_out)}")
    if columns.value >= 0:
        note = f"rows of an image, a label ('{columns.names[0]}') and its value"
        return OwnFormat(partial(_pairs, table), None, path.parent, [*notes, note])
    if _holds_values(table, reading):
        return OwnFormat(partial(_values, table), columns.names, path.parent, [*notes, "a column per label"])
    return _lists(table, reading, notes, class_names)


def _lists(table: _Table, reading: Reading, notes: Sequence[str], class_names: Sequence[str] | None) -> OwnFormat:
    """The rows of a table in which one column lists labels, or a value for each label such as [0, 1, 1]."""
    cells = decide_label_cells(_label_cells(table), reading)
    if not hold_values(((owner, cells.split(cell, owner)) for owner, cell in _label_cells(table)), reading):
        return OwnFormat(partial(_listed, table, cells), None, table.path.parent, [*notes, cells.note])
    width = len(next(cells.split(cell, owner) for owner, cell in _label_cells(table)))
    names = _called(table.path, width, class_names)
    note = f"{cells.note}; a value for each label"
    return OwnFormat(partial(_vectors, table, cells, names), names, table.path.parent, [*notes, note])


def _called(path: Path, columns: int, class_names: Sequence[str] | None) -> Sequence[str]:
    """The names of columns without a header. Raises ShapeError if there are more or fewer columns than names."""
    names = class_names or [str(column) for column in range(columns)]
    if len(names) != columns:
        raise ShapeError(f"{path}: expected {len(names)} values in a row, one for each label name, found {columns}")
    return names


def _delimiter(path: Path) -> str:
    first = next(text_lines(path), "")
    if named := _NAMED_DELIMITER.fullmatch(first):
        return named[1]
    if path.suffix.lower() == ".tsv":
        return "\t"
    unquoted = _QUOTED.sub("", first)
    return next((delimiter for delimiter in _DELIMITERS if delimiter in unquoted), ",")


def _records(path: Path, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Line numbers and cells."""
    lines = text_lines(path)
    start = 1 if _NAMED_DELIMITER.fullmatch(next(text_lines(path), "")) else 0
    reader = csv.reader(islice(lines, start, None), delimiter=delimiter, skipinitialspace=True)
    try:
        yield from ((start + reader.line_num, cells) for cells in reader if cells)
    except csv.Error as error:
        line = start + reader.line_num
        raise DataError(f"{path}, line {line}: {error}; is a quotation mark left open?") from error


def _body(table: _Table, every_split: bool = False) -> Iterator[tuple[str, list[str]]]:
    """Places and cells of the wanted split's rows."""
    columns, width, line = table.columns, 0, 0
    for end, cells in _records(table.path, table.delimiter):
        start, line = line, end
        if not width:
            width = len(cells)
            if columns.has_header:
                continue
        owner = f"{table.path}, line {line}"
        if len(cells) != width:
            raise DataError(f"{owner}: expected {width} columns, as in the header, found {len(cells)}")
        if line > start + 1 and any(_LINE_BREAK.search(cells[place]) for place in (columns.image, *columns.labels)):
            raise DataError(f"{owner}: expected cells of one line, found a line break; is a quotation mark left open?")
        if every_split or columns.split < 0 or cells[columns.split].strip().lower() in table.wanted:
            yield owner, cells


def _split_notes(table: _Table, split: str, asked: str) -> Iterable[str]:
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
        others = [value for value in counts if value not in SPLIT_WORDS["train"]] or list(counts)
        raise DataError(
            f"{table.path}: expected rows of split '{table.wanted[0]}', found "
            f"{', '.join(f'{number} of {value!r}' for value, number in counts.items())[:200]}; name the rows to read, "
            f"such as --{split}-rows {shlex.quote(others[0])}"
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
    name = table.columns.names[0]
    tokens = {find_token(cell) for _, cell in _label_cells(table)}
    if None in tokens or tokens <= {EMPTY}:
        return False
    if reading.label_cells:
        return reading.label_cells == "values"
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


def _vectors(table: _Table, label_cells: LabelCells, names: Sequence[str]) -> Iterator[OwnRow]:
    (place,) = table.columns.labels
    for owner, cells in _body(table):
        values = label_cells.split(cells[place], owner)
        if len(values) != len(names):
            raise ShapeError(f"{owner}: expected {len(names)} values, as in the first row, found {len(values)}")
        row = {label: token_of(value, owner, label) for label, value in zip(names, values, strict=True)}
        yield OwnRow(owner, cells[table.columns.image], row)


def _pairs(table: _Table) -> Iterator[OwnRow]:
    """A label of which no row of an image speaks has no value."""
    columns = table.columns
    for owner, cells in _body(table):
        label = cells[columns.labels[0]].strip()
        yield OwnRow(owner, cells[columns.image], {label: token_of(cells[columns.value], owner, label)}, rest=EMPTY)
