"""The mechanism study's tables: AP of relation labels in per cent, with the spread over seeds."""

from collections.abc import Iterator, Sequence
from typing import Any

from caffe_compat.experiments.mechanism.arms import SRN_OUTPUTS
from caffe_compat.experiments.mechanism.study import Result
from caffe_compat.experiments.mechanism.trials import StudyRow
from caffe_compat.experiments.statistics import SeedStatistics, over_seeds

COLUMNS = ("y_cls", "y_att", "y_sr", "y")


def rows(results: Sequence[Result], group: str = "relation") -> dict[StudyRow, dict[str, SeedStatistics]]:
    """For each trial and output, the AP in per cent over seeds of one group of labels."""
    trials = dict.fromkeys(result.trial for result in results)
    return {
        trial: {
            output: over_seeds([100 * result.ap[output][group] for result in results if result.trial == trial])
            for output in SRN_OUTPUTS
            if output in trial.made_of.arm.outputs
        }
        for trial in trials
    }


def markdown(results: Sequence[Result], group: str = "relation") -> str:
    """The table as Markdown: mean, and the 95 % interval where there are several seeds."""
    return "\n".join([*_head(), *(_line(trial, cells) for trial, cells in rows(results, group).items())]) + "\n"


def latex(results: Sequence[Result], group: str = "relation") -> str:
    """The table as a LaTeX tabular."""
    lines = [
        r"\begin{tabular}{lrr" + "r" * len(COLUMNS) + "}",
        r"\hline",
        _latex_row(["arm", "field", "scenes", *COLUMNS]),
    ]
    for trial, cells in rows(results, group).items():
        values = [_cell(cells.get(column)) for column in COLUMNS]
        lines.append(_latex_row([trial.made_of.arm.title, str(trial.receptive_field), str(trial.scenes), *values]))
    return "\n".join([*lines, r"\hline", r"\end{tabular}"]) + "\n"


def as_json(results: Sequence[Result]) -> list[dict[str, Any]]:
    """Each result with what it was made from; AP in 0..1."""
    return [
        {
            "arm": result.trial.arm,
            "takes_away": result.trial.made_of.takes_away,
            "receptive_field": result.trial.receptive_field,
            "scenes": result.trial.scenes,
            "seed": result.seed,
            "ap": result.ap,
        }
        for result in results
    ]


def _head() -> Iterator[str]:
    yield "| arm | takes away | field | scenes | " + " | ".join(COLUMNS) + " |"
    yield "|---|---|---|---|" + "---|" * len(COLUMNS)


def _line(trial: StudyRow, cells: dict[str, SeedStatistics]) -> str:
    made = trial.made_of
    values = " | ".join(_cell(cells.get(column)) for column in COLUMNS)
    return f"| {made.arm.title} | {made.takes_away} | {trial.receptive_field} | {trial.scenes} | {values} |"


def _cell(value: SeedStatistics | None) -> str:
    if value is None:
        return ""
    if value.low is None:
        return f"{value.mean:.1f}"
    return f"{value.mean:.1f} ({value.low:.1f} to {value.high:.1f})"


def _latex_row(cells: Sequence[str]) -> str:
    return " & ".join(cell.replace("_", r"\_") for cell in cells) + r" \\"
