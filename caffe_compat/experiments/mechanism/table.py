"""The mechanism study's tables: AP in per cent, with the spread over seeds, and what SRN gains over the other arms."""

from collections.abc import Iterator, Sequence
from typing import Any

from caffe_compat.experiments.mechanism.arms import ARMS, SRN_OUTPUTS
from caffe_compat.experiments.mechanism.study import GROUPS, Result
from caffe_compat.experiments.mechanism.trials import WHOLE_PICTURE, StudyRow
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


def gains(results: Sequence[Result], arm: str = "srn") -> dict[StudyRow, dict[str, SeedStatistics]]:
    """For each trial beside an arm of the same field and scenes: what the arm's prediction gains over the trial's.

    Points of AP of each group of labels, paired by seed; a seed that only one of both has is left out.
    """
    best = {_place(item): item for item in results if item.trial.arm == arm}
    pairs: dict[StudyRow, list[dict[str, float]]] = {}
    for item in results:
        if item.trial.arm != arm and _place(item) in best:
            ours, theirs = _predicted(best[_place(item)]), _predicted(item)
            pairs.setdefault(item.trial, []).append({group: 100 * (ours[group] - theirs[group]) for group in GROUPS})
    return {
        trial: {group: over_seeds([points[group] for points in found]) for group in GROUPS}
        for trial, found in pairs.items()
    }


def _place(item: Result) -> tuple[int, int, int]:
    return item.trial.receptive_field, item.trial.scenes, item.seed


def _predicted(result: Result) -> dict[str, float]:
    """The AP of each group of labels by the arm's prediction, its first output."""
    return result.ap[result.trial.made_of.arm.outputs[0]]


def markdown(results: Sequence[Result], group: str = "relation") -> str:
    """Two tables as Markdown: the AP of one group of labels, and what SRN gains in each group.

    A cell is the mean, with the 95 % interval where there are several seeds.
    """
    lines = [*_head(), *(_line(trial, cells) for trial, cells in rows(results, group).items())]
    return "\n".join([*lines, *_gain_lines(results)]) + "\n"


def latex(results: Sequence[Result], group: str = "relation") -> str:
    """The first of these tables as a LaTeX tabular."""
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


def _gain_lines(results: Sequence[Result]) -> Iterator[str]:
    found = {("SRN", trial): cells for trial, cells in gains(results).items() if trial.arm not in WHOLE_PICTURE}
    for arm, others in WHOLE_PICTURE.items():
        over = gains(results, arm).items()
        found |= {(ARMS[arm].arm.title, trial): cells for trial, cells in over if trial.arm in others}
    if not found:
        return
    yield from (
        "",
        "Gains of SRN's prediction over that of an arm of the same field and scenes, in points, paired by seed:",
        "",
    )
    yield "| what | minus | field | scenes | " + " | ".join(f"{group} AP" for group in GROUPS) + " | seeds |"
    yield "|---|---|---|---|" + "---|" * (len(GROUPS) + 1)
    for (title, trial), cells in found.items():
        values = " | ".join(_cell(cells[group], "+") for group in GROUPS)
        seeds = next(iter(cells.values())).seeds
        yield f"| {title} | {trial.made_of.arm.title} | {trial.receptive_field} | {trial.scenes} | {values} | {seeds} |"


def _cell(value: SeedStatistics | None, sign: str = "") -> str:
    """The mean and its interval; `sign` is that of a format."""
    if value is None:
        return ""
    if value.low is None:
        return f"{value.mean:{sign}.1f}"
    return f"{value.mean:{sign}.1f} ({value.low:{sign}.1f} to {value.high:{sign}.1f})"


def _latex_row(cells: Sequence[str]) -> str:
    return " & ".join(cell.replace("_", r"\_") for cell in cells) + r" \\"
