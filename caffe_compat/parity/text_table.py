"""Formats a comparison as lines for a terminal."""

from collections.abc import Iterator, Sequence
from math import isfinite

from caffe_compat.parity.comparison import Comparison, Difference, Verdict
from caffe_compat.parity.measure import Errors

HEADINGS = ("layer", "type", "blob", "kind", "shape", "max error", "relative", "alone", "cosine", "verdict")
#: Largest number of names in a line.
SHOWN = 5
#: Columns of numbers, aligned to the right.
_NUMBERS = range(5, 9)


def table_lines(comparison: Comparison, only_wrong: bool = False) -> Iterator[str]:
    """Yields the heading and one line per blob; `only_wrong` leaves out blobs that agree."""
    rows = [cells(row) for row in comparison.differences if not (only_wrong and row.agrees)]
    widths = [max(len(row[column]) for row in [HEADINGS, *rows]) for column in range(len(HEADINGS))]
    for row in [HEADINGS, *rows]:
        padded = [
            cell.rjust(width) if column in _NUMBERS else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        yield "  ".join(padded).rstrip()


def cells(row: Difference) -> tuple[str, ...]:
    """Returns the table's cells for one blob."""
    shape = _shape(row.shape)
    if row.verdict == Verdict.OTHER_SHAPE:
        shape += f", theirs {_shape(row.other_shape)}"
    return (
        row.layer,
        row.type,
        row.blob,
        row.kind.value,
        shape,
        _number(row.net.largest),
        _number(row.net.relative),
        _alone(row.alone),
        f"{row.net.cosine:.6f}",
        row.verdict.value,
    )


def _alone(errors: Errors | None) -> str:
    return "" if errors is None else _number(errors.relative)


def _number(value: float) -> str:
    return f"{value:.1e}"


def _shape(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape)) or "scalar"


def summary_lines(comparison: Comparison) -> Iterator[str]:
    """Yields the notes about the other side, the number of blobs not compared, and the result in words."""
    yield from (f"note: {note}" for note in comparison.notes)
    if comparison.not_compared:
        count, some = len(comparison.not_compared), _some(comparison.not_compared)
        yield f"not compared: {count} blobs that the other side does not show: {some}"
    yield f"largest relative error: {comparison.max_error:.1e} over {len(comparison.differences)} blobs"
    yield conclusion(comparison)


def conclusion(comparison: Comparison) -> str:
    """Returns one sentence: the sides agree over so many layers, or the first layer that differs, with the cause."""
    first = comparison.first_wrong
    if first is None:
        return _same(comparison)
    if comparison.from_fillers and not isfinite(first.net.relative):
        return (
            f"nothing is proved about {comparison.against}: no weights were given, and with what fillers drew the "
            f"values of layer '{first.layer}' ({first.type}) become infinite; give trained weights with --weights"
        )
    since = f" (or one of {', '.join(first.since)}, which the other side does not show)" if first.since else ""
    cause = f": {first.cause}" if first.cause else ""
    return f"first that differs: layer '{first.layer}' ({first.type}), {first.kind.value} {first.blob}{since}{cause}"


def _same(comparison: Comparison) -> str:
    total, unseen, zero = len(comparison.layers), comparison.unseen_layers, comparison.zero_layers
    if not total:
        return f"the same as {comparison.against}"
    if not comparison.agrees:
        return (
            f"nothing is proved about {comparison.against}: of {total} layers {len(unseen)} were not compared and "
            f"{len(zero)} gave nothing but zeros on both sides; give trained weights with --weights"
        )
    rest = f", {len(unseen)} not compared: {_some(unseen)}" if unseen else ""
    rest += f", {len(zero)} with nothing but zeros on both sides: {_some(zero)}" if zero else ""
    filled = comparison.unfilled_layers
    rest += f", {len(filled)} with what fillers drew on both sides: {_some(filled)}" if filled else ""
    drawn = " with weights that fillers drew" if comparison.from_fillers else ""
    return f"the same as {comparison.against}{drawn}: {total - len(unseen)} of {total} layers{rest}"


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:SHOWN]) + (", ..." if len(names) > SHOWN else "")
