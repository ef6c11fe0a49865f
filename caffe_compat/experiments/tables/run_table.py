"""Makes the rows of a table: rates chosen on validation, training, and measurement on the test split."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from caffe_compat.errors import DataError
from caffe_compat.experiments.models import write_models
from caffe_compat.experiments.runs import Run, Say, train
from caffe_compat.experiments.tables.plans import TablePlan
from caffe_compat.experiments.tables.rows import PaperRow
from caffe_compat.proto.file_bytes import replacing
from caffe_compat.srn.metrics.measurement import measure
from caffe_compat.srn.metrics.text_matrices import UNKNOWN, read_labels

#: Figures of scores without any knowledge are named by this word and the figure.
CHANCE = "chance"
#: Rates are chosen with a seed that no table reports.
RATE_SEED = 1000


@dataclass(frozen=True)
class Measured:
    """A row with one seed: its figures on the test split, in 0..1, and the factor of its learning rates."""

    row: PaperRow
    seed: int
    figures: dict[str, float]
    rate_factor: float = 1


def make_rows(
    plan: TablePlan, seeds: Sequence[int], work: Path, say: Say, rate_factors: Sequence[float] = (1,)
) -> list[Measured]:
    """The measurements of all rows and seeds, in the order of rows, then seeds; what is there already is only read.

    Each row gets that one of `rate_factors` for its rates with which its mAP on the validation split is highest.
    """
    factors = choose_rates(plan, work, say, rate_factors)
    rows = [row.scaled(factor) for row, factor in zip(plan.rows, factors, strict=True)]
    measured: dict[tuple[int, int], Measured] = {}
    for seed in seeds:
        runs = [_run(plan, row, work, seed) for row in rows]
        _train_missing(plan, runs, "test", say)
        for number, (row, run) in enumerate(zip(rows, runs, strict=True)):
            figures = _figures(plan, row, run, "test")
            measured[number, seed] = Measured(plan.rows[number], seed, figures, factors[number])
    return [measured[key] for key in sorted(measured)]


def choose_rates(plan: TablePlan, work: Path, say: Say, factors: Sequence[float]) -> list[float]:
    """For each row the factor of its rates that is best on the validation split; the first where several are equal."""
    if len(factors) == 1:
        return [factors[0]] * len(plan.rows)
    if plan.setting.options.get("test_split", "val") != "val":
        raise DataError(
            f"{plan.dataset}: expected a validation split, on which --rates are chosen, found none; "
            "prepare the data with --validation 0.1"
        )
    scaled = [[row.scaled(factor) for factor in factors] for row in plan.rows]
    _train_missing(plan, [_run(plan, row, work, RATE_SEED) for rows in scaled for row in rows], "val", say)
    chosen = []
    for rows in scaled:
        maps = [_figures(plan, row, _run(plan, row, work, RATE_SEED), "val")["mAP"] for row in rows]
        chosen.append(factors[int(np.argmax(maps))])
        tried = ", ".join(f"{100 * value:.1f} at {factor:g}" for value, factor in zip(maps, factors, strict=True))
        say(f"{rows[0].title}: validation mAP by factor of the rates: {tried}")
    return chosen


def _run(plan: TablePlan, row: PaperRow, work: Path, seed: int) -> Run:
    """The run of a row; its data are written, once for all rows of a seed, before its arm is known."""
    dataset = work / f"seed_{seed}" / plan.folder
    if not (dataset / "data").exists():
        dataset.mkdir(parents=True, exist_ok=True)
        plan.write_data(dataset / "data", seed)
    row.complete_data(dataset / "data")
    return Run(row.key, row.arm(dataset / "data"), dataset, seed, plan.gpus)


def _train_missing(plan: TablePlan, runs: Sequence[Run], split: str, say: Say) -> None:
    missing = [run for run in runs if not _figures_file(plan, run, split).exists()]
    for run in missing:
        write_models(run.folder, run.arm, plan.setting, run.seed)
    train(missing, say, plan.flags)


def _figures_file(plan: TablePlan, run: Run, split: str) -> Path:
    return run.folder / f"{split}_figures_{plan.name}.json"


def _figures(plan: TablePlan, row: PaperRow, run: Run, split: str) -> dict[str, float]:
    """The run's figures on a split, from its file where it was measured before."""
    path = _figures_file(plan, run, split)
    if not path.exists():
        with replacing(path) as beside:
            beside.write_text(json.dumps(_measure(plan, row, run, split), indent=1) + "\n", encoding="utf-8")
    figures: dict[str, float] = json.loads(path.read_text(encoding="utf-8"))
    return figures


def _measure(plan: TablePlan, row: PaperRow, run: Run, split: str) -> dict[str, float]:
    labels = read_labels(run.files(split).labels)
    measured = measure(row.title, labels, row.predict(run, split), plan.rules)
    groups = {f"{name} AP": float(np.nanmean(measured.ap[part])) for name, part in plan.groups.items()}
    return measured.figures | groups | _by_chance(plan, labels)


def _by_chance(plan: TablePlan, labels: NDArray[np.int8]) -> dict[str, float]:
    """The AP that scores without any knowledge have: the frequency of each label among the images that specify it."""
    specified = (labels != UNKNOWN) & ((labels != 0) | (not plan.rules.ignore_unspecified))
    frequency = (labels == 1).sum(0) / specified.sum(0)
    parts = {"mAP": slice(None)} | {f"{name} AP": part for name, part in plan.groups.items()}
    return {f"{CHANCE} {name}": float(np.mean(frequency[part])) for name, part in parts.items()}
