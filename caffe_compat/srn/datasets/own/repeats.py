"""Images that several rows name: their rows are joined, and labels in which rows differ are told."""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from caffe_compat.errors import DataError
from caffe_compat.srn.datasets.own.cells import EMPTY, NOT_LISTED, ONE, UNSURE
from caffe_compat.srn.datasets.own.rows import OwnRow

SHOWN = 3  # places in a message


class Contradiction(NamedTuple):
    """Two rows of one image that say different things of a label."""

    label: str
    first: OwnRow
    second: OwnRow


class Joined(NamedTuple):
    """One row for each image that several name, by name; in how many rows; and in what rows differ."""

    rows: dict[str, OwnRow]
    counts: Counter[str]
    differences: list[Contradiction]


def join_repeats(rows: Iterable[OwnRow], repeated: set[str], repeats: str) -> Joined:
    """Join the rows of repeated images. `repeats` decides where rows differ: present, unknown or last.

    Raises DataError if rows differ and `repeats` is "".
    """
    joined = Joined({}, Counter(), [])
    for row in rows:
        if row.name in repeated:
            joined.counts[row.name] += 1
            first = joined.rows.get(row.name)
            joined.rows[row.name] = row if first is None else _join(first, row, repeats, joined.differences)
    if joined.differences and not repeats:
        label, first, second = joined.differences[0]
        raise DataError(
            f"{second.owner}: '{first.name[:80]}' stands in several rows that differ: label '{label}' is "
            f"'{_cell(first, label)}' in {first.owner} and '{_cell(second, label)}' here ({len(joined.differences)} "
            "such labels in all); if the rows are parts of one image, give --repeats present; else --repeats unknown "
            "leaves these labels out, and --repeats last takes the last row"
        )
    return joined


def _join(first: OwnRow, second: OwnRow, repeats: str, differences: list[Contradiction]) -> OwnRow:
    cells = dict(first.cells)
    for label, cell in second.cells.items():
        before = _cell(first, label)
        if _says_nothing(before) or before == cell:
            cells[label] = cell
        elif not _says_nothing(cell):
            differences.append(Contradiction(label, first, second))
            cells[label] = {"present": ONE if ONE in (before, cell) else before, "last": cell}.get(repeats, UNSURE)
    return first._replace(cells=cells)


def _says_nothing(cell: str) -> bool:
    return cell in (EMPTY, NOT_LISTED)


def _cell(row: OwnRow, label: str) -> str:
    return row.cells.get(label, row.rest)


def repeat_notes(joined: Joined, split: str) -> Iterator[str]:
    """What the summary tells of repeated images."""
    if joined.counts:
        first = ", ".join(f"'{name[:60]}' {times} times" for name, times in joined.counts.most_common(SHOWN))
        yield f"{split}: {len(joined.counts):,} images stand in several rows, which are joined: {first}"
    if joined.differences:
        places = ", ".join(f"{found.label} in {found.second.owner}" for found in joined.differences[:SHOWN])
        yield f"{split}: {len(joined.differences):,} labels in which rows of one image differ: {places}"
