"""Makes a table or a study and writes it as Markdown, LaTeX and JSON; or the page of figures."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from caffe_compat.experiments.analysis.page import write_analysis
from caffe_compat.experiments.arms import Arm, Setting
from caffe_compat.experiments.mechanism import table
from caffe_compat.experiments.mechanism.study import GROUPS, has_result, run_study
from caffe_compat.experiments.mechanism.trials import TABLES, StudyRow
from caffe_compat.experiments.models import write_models
from caffe_compat.experiments.runs import Run, Say
from caffe_compat.experiments.tables import form
from caffe_compat.experiments.tables.plans import TablePlan
from caffe_compat.experiments.tables.run_table import make_rows
from caffe_compat.experiments.training_time import StepTime, estimate_lines, in_words, time_run
from caffe_compat.proto.file_bytes import replacing

#: The mechanism study as a whole: the rows of its three tables, each once.
MECHANISM = {"mechanism": tuple(dict.fromkeys(trial for trials in TABLES.values() for trial in trials))} | TABLES

#: The nets of the page of figures.
FIGURE_ROWS = tuple(StudyRow(arm) for arm in ("srn", "baseline", "rolled"))
#: All tables that are studies of our own, and the page of figures, with their rows.
STUDIES = MECHANISM | {"figures": FIGURE_ROWS}


def reproduce(name: str, seeds: int, out: Path, say: Say) -> str:
    """Runs what is missing of study `name` for seeds 0, 1 ... and writes OUT/NAME.md, .tex and .json.

    Says first how long it will take. Returns the table as Markdown. Training files stay in OUT/work, so that an
    interrupted call goes on.
    """
    work = out.resolve() / "work"
    say(study_expectation(MECHANISM[name], seeds, work))
    results = run_study(MECHANISM[name], range(seeds), work, say)
    return _write(out, name, table.markdown(results), table.latex(results), table.as_json(results))


def reproduce_table(plan: TablePlan, seeds: int, out: Path, say: Say, rate_factors: Sequence[float] = (1,)) -> str:
    """The same for one of the paper's tables or the ablations; says first how long it will take."""
    work = out.resolve() / "work"
    say(expectation(plan, seeds, work, rate_factors))
    measured = make_rows(plan, range(seeds), work, say, rate_factors)
    return _write(
        out, plan.name, form.markdown(plan, measured), form.latex(plan, measured), form.as_json(plan, measured)
    )


def reproduce_figures(out: Path, say: Say) -> str:
    """Trains SRN, its rolled control and its baseline with seed 0 where missing, and writes OUT/report.html.

    Returns the attention scores as Markdown; OUT/analysis.json has all numbers of the page.
    """
    work = out.resolve() / "work"
    say(study_expectation(FIGURE_ROWS, 1, work))
    run_study(FIGURE_ROWS, (0,), work, say)
    srn, baseline, rolled = (trial.run(work, 0) for trial in FIGURE_ROWS)
    numbers = write_analysis(out, srn, baseline, GROUPS, say, rolled)
    say(f"wrote {out / 'report.html'} and {out / 'analysis.json'}")
    return attention_table(numbers["attention"])


def attention_table(numbers: Mapping[str, Mapping[str, Mapping[str, Sequence[float]]]]) -> str:
    """Attention before (A) and after (U) weighting, as Markdown: per cent with 95 % intervals over images."""
    lines = ["| labels | map | hit | mass in the box | chance |", "|---|---|---|---|---|"]
    for group, maps in numbers.items():
        for name, row in maps.items():
            hit, mass = ("{:.1f} ({:.1f} to {:.1f})".format(*(100 * v for v in row[key])) for key in ("hit", "mass"))
            lines.append(f"| {group} | {name} | {hit} | {mass} | {100 * row['area'][0]:.1f} |")
    return "\n".join(lines) + "\n"


def study_expectation(trials: Sequence[StudyRow], seeds: int, work: Path) -> str:
    """How long the trainings of a study that are not done will take, from measured steps of each row."""
    todo = [trial for trial in trials for seed in range(seeds) if not has_result(trial.run(work, seed))]
    hours = {trial: sum(step.hours() for step in time_row(trial)) for trial in dict.fromkeys(todo)}
    whole = sum(hours[trial] for trial in todo)
    return f"{len(todo)} trainings to do, about {in_words(whole)} one by one"


def time_row(trial: StudyRow) -> list[StepTime]:
    """The measured steps of a row; the Python layer of the rolled maps, which costs little, is left out."""
    arm = trial.made_of.arm
    options = {name: value for name, value in arm.options.items() if name != "alignment"}
    return _time(replace(arm, options=options), trial.setting)


def expectation(
    plan: TablePlan,
    seeds: int,
    work: Path,
    rate_factors: Sequence[float] = (1,),
    times: Sequence[StepTime] | None = None,
) -> str:
    """How long the trainings of a plan that are not done will take, from one measured step of the plan's last row.

    A row that does not train in SRN's steps is counted as SRN's first step for all epochs: it trains the whole net.
    `times` are measured here if None.
    """
    times = times or time_plan(plan)
    figures = f"test_figures_{plan.name}.json"
    todo = [
        row
        for seed in range(seeds)
        for row in plan.rows
        if not (work / f"seed_{seed}" / plan.folder / row.key / figures).exists()
    ]
    if len(rate_factors) > 1:
        todo += [row for row in plan.rows for _ in rate_factors]
    staged = sum(step.hours() for step in times)
    whole_net = replace(times[0], iterations=sum(step.iterations for step in times)).hours()
    table = sum(staged if row.staged else whole_net for row in todo)
    *_, whole = estimate_lines(times)
    return f"{plan.rows[-1].title}: {whole}; {len(todo)} trainings to do, about {in_words(table)} one by one"


def time_plan(plan: TablePlan) -> list[StepTime]:
    """The measured steps of a plan's last row, ResNet-SRN in the paper's tables."""
    return _time(plan.rows[-1].arm(Path()), plan.setting)


def _time(arm: Arm, setting: Setting) -> list[StepTime]:
    with TemporaryDirectory() as folder:
        run = Run("timed", arm, Path(folder), 0)
        write_models(run.folder, run.arm, setting, run.seed)
        return time_run(run, (setting.batch_size, 3, setting.input_size, setting.input_size), setting.labels)


def _write(out: Path, name: str, markdown: str, latex: str, content: Any) -> str:
    texts = {"md": markdown, "tex": latex, "json": json.dumps(content, indent=1) + "\n"}
    for ending, text in texts.items():
        with replacing(out / f"{name}.{ending}") as beside:
            beside.write_text(text, encoding="utf-8")
    return markdown
