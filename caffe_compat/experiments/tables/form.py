"""A table in the paper's form, the paper's numbers below ours: Markdown, LaTeX and JSON."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from caffe_compat.experiments.statistics import SeedStatistics, over_seeds
from caffe_compat.experiments.tables.paper_numbers import PAPER_TABLES
from caffe_compat.experiments.tables.plans import TablePlan
from caffe_compat.experiments.tables.rows import PaperRow
from caffe_compat.experiments.tables.run_table import CHANCE, Measured
from caffe_compat.srn.metrics.datasets import DATASETS

Cells = dict[str, SeedStatistics]
#: The paper's name of its baseline.
BASELINE = "ResNet-101"


def cells_of(plan: TablePlan, measured: Sequence[Measured]) -> list[tuple[PaperRow, Cells]]:
    """Each row with the statistics over seeds of its columns, in per cent."""
    return [
        (row, {name: over_seeds([100 * item.figures[name] for item in measured if item.row == row]) for name in shown})
        for row in plan.rows
        if (shown := shown_columns(plan, row))
    ]


def shown_columns(plan: TablePlan, row: PaperRow) -> tuple[str, ...]:
    """The columns that mean something for a row: of scores without a threshold only mAP and top-3 figures."""
    if row.thresholded:
        return plan.columns
    return tuple(name for name in plan.columns if name.endswith(("mAP", "AP")) or name.startswith("top3"))


def base_row(plan: TablePlan) -> PaperRow:
    """The row that others are compared with: ResNet-101 in the paper's tables, else the first."""
    return next((row for row in plan.rows if plan.paper and row.title == BASELINE), plan.rows[0])


def gains(plan: TablePlan, measured: Sequence[Measured], column: str) -> dict[str, SeedStatistics]:
    """What each other row gains over the base row in a column, in points, paired by seed; by the row's key."""
    base = base_row(plan)
    of_base = {item.seed: item.figures[column] for item in measured if item.row == base}
    return {
        row.key: over_seeds([100 * (i.figures[column] - of_base[i.seed]) for i in measured if i.row == row])
        for row in plan.rows
        if row != base and of_base
    }


def markdown(plan: TablePlan, measured: Sequence[Measured]) -> str:
    """The table as Markdown: mean and half of the 95 % interval over seeds; the paper's numbers in lines of their own.

    A table without paper's numbers has a last column: the gain in the last figure over the first row. Below the
    paper's tables are the gains in mAP over ResNet-101.
    """
    lines = list(_markdown_rows(plan, measured))
    header = ["", *_headers(plan)]
    rule = "|---|" + "---|" * (len(header) - 1)
    notes = [_note(plan, measured), *_gains_in_words(plan, measured)]
    return "\n".join([_line(header), rule, *map(_line, lines), "", "\n\n".join(notes)]) + "\n"


def _gains_in_words(plan: TablePlan, measured: Sequence[Measured]) -> Iterator[str]:
    gained = gains(plan, measured, plan.columns[0]) if plan.paper else {}
    listed = "; ".join(f"{row.title} {_interval(gained[row.key])}" for row in plan.rows if row.key in gained)
    if listed:
        yield f"{plan.columns[0]} minus that of {base_row(plan).title}, in points, paired by seed: {listed}."


def _markdown_rows(plan: TablePlan, measured: Sequence[Measured]) -> Iterator[list[str]]:
    gained = {} if plan.paper else gains(plan, measured, plan.columns[-1])
    for row, cells in cells_of(plan, measured):
        last = [] if plan.paper else [_interval(gained[row.key]) if row.key in gained else ""]
        yield [row.title, *(_cell(cells.get(name)) for name in plan.columns), *last]
        if row.title in plan.paper:
            numbers = plan.paper[row.title]
            yield [
                f"*paper, {DATASETS[PAPER_TABLES[plan.name].dataset].title}*",
                *("" if value is None else f"*{value:.1f}*" for value in numbers),
            ]


def _headers(plan: TablePlan) -> list[str]:
    headers = [name.replace("top3+filter", "top-3").replace("top3", "top-3") for name in plan.columns]
    return headers if plan.paper else [*headers, f"gain in {headers[-1]}"]


def _note(plan: TablePlan, measured: Sequence[Measured]) -> str:
    seeds = len({item.seed for item in measured})
    spread = f"mean of {seeds} seeds ± half of the 95 % t-interval" if seeds > 1 else "one seed, so no interval"
    tested = plan.setting.options.get("test_split", "val")  # at full scale there may be no validation split
    images = {tested if split == "val" else split: number for split, number in plan.setting.images.items()}
    numbers = ", ".join(f"{number:,} {split}" for split, number in images.items())
    data = f"Data: {plan.dataset} ({numbers} images). All rows train for {plan.epochs} epochs."
    return f"Per cent, {spread}. {data}{_by_chance(plan, measured)}"


def _by_chance(plan: TablePlan, measured: Sequence[Measured]) -> str:
    """The AP of scores without any knowledge, mean over seeds, for each column of AP."""
    keys = {name: f"{CHANCE} {name}" for name in plan.columns if f"{CHANCE} {name}" in measured[0].figures}
    shown = [f"{name} {100 * np.mean([item.figures[key] for item in measured]):.1f}" for name, key in keys.items()]
    return f" By chance: {', '.join(shown)}." if shown else ""


def latex(plan: TablePlan, measured: Sequence[Measured]) -> str:
    """The table as a LaTeX tabular with the paper's two groups of columns."""
    count = len(_headers(plan))
    top = sum(name.startswith("top3") for name in plan.columns)
    groups = rf" & \multicolumn{{{count - top}}}{{c}}{{All}} & \multicolumn{{{top}}}{{c}}{{top-3}} \\"
    names = [name.rpartition(" ")[2] if name.startswith("top-3") else name for name in _headers(plan)]
    head = [r"\begin{tabular}{l" + "r" * count + "}", r"\hline", *([groups] if top else []), _tex(["", *names])]
    return "\n".join([*head, r"\hline", *map(_tex, _markdown_rows(plan, measured)), r"\hline", r"\end{tabular}"]) + "\n"


def as_json(plan: TablePlan, measured: Sequence[Measured]) -> dict[str, Any]:
    """Everything about the table; figures in 0..1 for each seed, statistics in per cent."""
    gained = gains(plan, measured, plan.columns[0] if plan.paper else plan.columns[-1])
    return {
        "table": plan.name,
        "dataset": plan.dataset,
        "images": dict(plan.setting.images),
        "epochs": plan.epochs,
        "rows": [
            {
                "title": row.title,
                "rate_factor": next(item.rate_factor for item in measured if item.row == row),
                "per_cent": {name: vars(value) for name, value in cells.items()},
                "gain": vars(gained[row.key]) if row.key in gained else None,
                "seeds": {str(item.seed): item.figures for item in measured if item.row == row},
                "paper": dict(zip(plan.columns, plan.paper[row.title], strict=True))
                if row.title in plan.paper
                else None,
            }
            for row, cells in cells_of(plan, measured)
        ],
    }


def _cell(value: SeedStatistics | None) -> str:
    if value is None:
        return ""
    return f"{value.mean:.1f}" if value.high is None else f"{value.mean:.1f} ± {value.high - value.mean:.1f}"


def _interval(value: SeedStatistics) -> str:
    if value.low is None:
        return f"{value.mean:+.1f}"
    return f"{value.mean:+.1f} ({value.low:+.1f} to {value.high:+.1f})"


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _tex(cells: Sequence[str]) -> str:
    def escaped(cell: str) -> str:
        text = cell.replace("_", r"\_").replace("%", r"\%").replace(" ± ", r" $\pm$ ")
        return rf"\textit{{{text.replace('*', '')}}}" if text.startswith("*") else text

    return " & ".join(map(escaped, cells)) + r" \\"
