"""A report as text: the figures for a terminal, a table of classes as CSV, and the paper's table in LaTeX."""

import csv
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from caffe_compat.srn.metrics.released import FIGURES, SPECIFIED
from caffe_compat.srn.metrics.report import Report

Intervals = Mapping[str, tuple[float, float]]

LATEX_SPECIALS = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"} | {
    character: "\\" + character for character in "&%$#_{}"
}
#: Characters for a figure on a terminal, without its interval and with it.
NARROW, WIDE = 7, 13


def column_groups(report: Report) -> dict[str, list[str]]:
    """The paper's columns, by the heading above them: all labels, then top-3 where its table has them.

    Where labels may be unspecified, a group of its own leaves them out of F1 as well, as the paper's text says.
    """
    groups = {"All": ["mAP", *FIGURES]}
    if report.rules.ignore_unspecified:
        groups["Specified only"] = [SPECIFIED + name for name in FIGURES]
    if block := report.rules.top3_block:
        groups["top-3"] = [f"{block} {name}" for name in FIGURES]
    return groups


def terminal_lines(report: Report) -> Iterator[str]:
    """Percentages with one decimal, as evaluate.m prints them; under each its 95 % interval, after a bootstrap."""
    width = max(len(heading) for heading in [*column_groups(report), *_row_names(report)])
    cell = WIDE if any(measurement.resampled for measurement in report.measurements) else NARROW
    for group, names in column_groups(report).items():
        yield f"{group:<{width}}" + "".join(f"{_short(name):>{cell}}" for name in names)
        for measurement in report.measurements:
            yield f"{measurement.name:<{width}}" + _figure_cells(measurement.figures, names, cell, "")
            yield from _interval_row(measurement.intervals(), names, width, cell, "")
        for comparison in report.comparisons:
            yield f"{_gain_name(comparison.name):<{width}}" + _figure_cells(comparison.gains, names, cell, "+")
            yield from _interval_row(comparison.gain_intervals, names, width, cell, "+")


def _row_names(report: Report) -> list[str]:
    return [item.name for item in report.measurements] + [_gain_name(item.name) for item in report.comparisons]


def _gain_name(model: str) -> str:
    return f"gain of {model}"


def _short(name: str) -> str:
    return name.rpartition(" ")[2]


def _figure_cells(figures: Mapping[str, float], names: list[str], width: int, sign: str) -> str:
    return "".join(f"{100 * figures[name]:{sign}{width}.1f}" for name in names)


def _interval_row(intervals: Intervals, names: list[str], width: int, cell: int, sign: str) -> Iterator[str]:
    if intervals:
        texts = (f"{100 * low:{sign}.1f}..{100 * high:{sign}.1f}" for low, high in (intervals[name] for name in names))
        yield " " * width + "".join(f"{text:>{cell}}" for text in texts)


def write_csv(report: Report, path: Path) -> None:
    """One line per class: positives, training images, co-occurring labels, and AP, P, R, F1 of every file, in 0..1."""
    columns = {"positives": report.positives, "co-occurring labels": report.co_occurring}
    if report.training_counts is not None:
        columns["training images"] = report.training_counts
    for measurement in report.measurements:
        prefix = "" if len(report.measurements) == 1 else measurement.name + " "
        precision, recall, f1 = measurement.by_class
        columns |= {prefix + "AP": measurement.ap, prefix + "P": precision, prefix + "R": recall, prefix + "F1": f1}
    for comparison in report.comparisons:
        columns[f"{comparison.name} AP gain"] = comparison.ap_gain
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["class", *columns])
        for name, *values in zip(report.class_names, *columns.values(), strict=True):
            writer.writerow([name, *("" if np.isnan(value) else value for value in values)])


def write_latex(report: Report, path: Path) -> None:
    """The paper's Tables 1 to 3: a row for each file of predictions, percentages, the best of each column in bold.

    After a bootstrap, rows of 95 % intervals stand below, and for each further file its gain over the first.
    """
    groups = column_groups(report)
    names = [name for group in groups.values() for name in group]
    headings = " & ".join(rf"\multicolumn{{{len(group)}}}{{c|}}{{{title}}}" for title, group in groups.items())
    lines = [
        f"% {_comment(report.rules.title)}, {report.images} images; needs no package",
        rf"\begin{{tabular}}{{|l|{'|'.join('c' * len(group) for group in groups.values())}|}}",
        rf"\hline Method & {headings} \\",
        " & ".join(["", *map(_short, names)]) + r" \\ \hline",
        *_latex_rows(report, names),
        *_latex_gains(report, names),
        r"\hline",
        r"\end{tabular}",
    ]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _latex_rows(report: Report, names: list[str]) -> Iterator[str]:
    best = {name: max(_percentage(item.figures[name]) for item in report.measurements) for name in names}
    for item in report.measurements:
        cells = [_percentage(item.figures[name]) for name in names]
        texts = [
            rf"\textbf{{{cell:.1f}}}" if cell == best[name] and len(report.measurements) > 1 else f"{cell:.1f}"
            for name, cell in zip(names, cells, strict=True)
        ]
        yield " & ".join([_latex_text(item.name), *texts]) + r" \\"
        yield from _latex_intervals(item.intervals(), names)


def _latex_gains(report: Report, names: list[str]) -> Iterator[str]:
    for item in report.comparisons if any(comparison.gain_intervals for comparison in report.comparisons) else ():
        texts = [f"${100 * item.gains[name]:+.1f}$" for name in names]
        yield r"\hline " + " & ".join([f"{_latex_text(item.name)} $-$ {_latex_text(item.base)}", *texts]) + r" \\"
        yield from _latex_intervals(item.gain_intervals, names)


def _latex_intervals(intervals: Intervals, names: list[str]) -> Iterator[str]:
    if intervals:
        bounds = [intervals[name] for name in names]
        texts = [rf"{{\scriptsize[{100 * low:.1f}, {100 * high:.1f}]}}" for low, high in bounds]
        yield " & ".join(["", *texts]) + r" \\"


def _percentage(value: float) -> float:
    """As printed, so that what looks equal is marked equally."""
    return round(100 * value, 1)


def _comment(text: str) -> str:
    """A line break would end the comment, and what follows would be LaTeX."""
    return " ".join(text.split())


def _latex_text(text: str) -> str:
    return "".join(LATEX_SPECIALS.get(character, character) for character in text)
