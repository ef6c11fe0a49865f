"""A report as text: the figures for a terminal, a table a class as CSV, and the paper's table in LaTeX."""

import csv
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from caffe_compat.srn.metrics.released import FIGURES
from caffe_compat.srn.metrics.report import Report

LATEX_SPECIALS = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"} | {
    character: "\\" + character for character in "&%$#_{}"
}


def column_groups(report: Report) -> dict[str, list[str]]:
    """The paper's columns, by the heading above them: all labels, then top-3 where its table has them."""
    block = report.rules.top3_block
    top3 = {"top-3": [f"{block} {name}" for name in FIGURES]} if block else {}
    return {"All": ["mAP", *FIGURES]} | top3


def terminal_lines(report: Report) -> Iterator[str]:
    """Percentages with one decimal, as evaluate.m prints them."""
    width = max(len(measurement.name) for measurement in report.measurements)
    for group, names in column_groups(report).items():
        headings = "".join(f"{name.rpartition(' ')[2]:>7}" for name in names)
        yield f"{group:<{width}}{headings}"
        for measurement in report.measurements:
            values = "".join(f"{100 * measurement.figures[name]:7.1f}" for name in names)
            yield f"{measurement.name:<{width}}{values}"


def interval_lines(report: Report) -> Iterator[str]:
    """The bootstrap's 95 % intervals of mAP, F1-C and F1-O and of their gains over the first file."""
    for measurement in report.measurements:
        for name, (low, high) in measurement.intervals().items():
            if name in ("mAP", "F1-C", "F1-O"):
                yield f"{measurement.name}: {name} between {100 * low:.1f} and {100 * high:.1f} (95 %)"
    for comparison in report.comparisons:
        for name, (low, high) in comparison.gain_intervals.items():
            if name in ("mAP", "F1-C", "F1-O"):
                yield f"{comparison.name} over {comparison.base}: {name} {100 * low:+.1f} to {100 * high:+.1f} (95 %)"


def write_csv(report: Report, path: Path) -> None:
    """One line a class: positives, mean number of co-occurring labels, and AP, P, R, F1 of every file, in 0..1."""
    columns = {"positives": report.positives, "co-occurring labels": report.co_occurring}
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
    """The paper's Tables 1 to 3: one row a file of predictions, percentages, the best of each column in bold."""
    groups = column_groups(report)
    names = [name for group in groups.values() for name in group]
    headings = " & ".join(rf"\multicolumn{{{len(group)}}}{{c|}}{{{title}}}" for title, group in groups.items())
    lines = [
        rf"% {report.rules.title}, {report.images} images; needs no package",
        rf"\begin{{tabular}}{{|l|{'|'.join('c' * len(group) for group in groups.values())}|}}",
        rf"\hline Method & {headings} \\",
        " & ".join(["", *(name.rpartition(" ")[2] for name in names)]) + r" \\ \hline",
        *_latex_rows(report, names),
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


def _percentage(value: float) -> float:
    """As printed, so that what looks equal is marked equally."""
    return round(100 * value, 1)


def _latex_text(text: str) -> str:
    return "".join(LATEX_SPECIALS.get(character, character) for character in text)
