"""Runs the mechanism study: data, nets, training and measurement for each trial and seed.

A study that was interrupted goes on where it was.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from caffe_compat.experiments.mechanism.arms import DATA
from caffe_compat.experiments.mechanism.relation_rules import PRESENCE, RELATION
from caffe_compat.experiments.mechanism.relation_scenes import write_relation_scenes
from caffe_compat.experiments.mechanism.trials import StudyRow
from caffe_compat.experiments.models import write_models
from caffe_compat.experiments.runs import Run, Say, predict, train
from caffe_compat.proto.file_bytes import replacing
from caffe_compat.srn.metrics.datasets import DATASETS
from caffe_compat.srn.metrics.measurement import measure
from caffe_compat.srn.metrics.text_matrices import read_labels

#: The labels of each group whose mean AP a table shows.
GROUPS = {"presence": PRESENCE, "relation": RELATION}


@dataclass(frozen=True)
class Result:
    """One trial with one seed: for each output the mean AP, in 0..1, of each group of labels."""

    trial: StudyRow
    seed: int
    ap: dict[str, dict[str, float]]


def run_study(trials: Sequence[StudyRow], seeds: Sequence[int], work: Path, say: Say) -> list[Result]:
    """Results in the order of trials, then seeds. What is there already is read and not made again."""
    results = []
    for seed in seeds:
        pairs = [(trial, trial.run(work, seed)) for trial in trials]
        waiting = [(trial, run) for trial, run in pairs if not has_result(run)]
        for trial, run in waiting:
            _prepare(trial, run, say)
        train([run for _, run in waiting], say)
        for trial, run in pairs:
            results.append(_result(trial, run))
    return sorted(results, key=lambda result: (trials.index(result.trial), result.seed))


def _prepare(trial: StudyRow, run: Run, say: Say) -> None:
    """Data, once for all trials that share them, and the trial's nets and solvers."""
    if not (run.dataset / "data").exists():
        run.dataset.mkdir(parents=True, exist_ok=True)
        images, rules = trial.setting.images, DATA[trial.made_of.data]
        write_relation_scenes(run.dataset / "data", images, run.seed, rules)
        say(f"wrote {sum(images.values()):,} scenes to {run.dataset / 'data'}")
    write_models(run.folder, run.arm, trial.setting, run.seed)


def has_result(run: Run) -> bool:
    """Whether a run is trained and measured."""
    return _results_file(run).exists()


def _results_file(run: Run) -> Path:
    return run.folder / "ap.json"


def _result(trial: StudyRow, run: Run) -> Result:
    """The run's measured AP, from its file where it was measured before."""
    path = _results_file(run)
    if not path.exists():
        with replacing(path) as beside:
            beside.write_text(json.dumps(_measured(run), indent=1) + "\n", encoding="utf-8")
    return Result(trial, run.seed, json.loads(path.read_text(encoding="utf-8")))


def _measured(run: Run) -> dict[str, dict[str, float]]:
    labels = read_labels(run.files("test").labels)
    measured = {}
    for output in run.arm.outputs:
        ap = measure(output, labels, predict(run, output), DATASETS["coco"]).ap
        measured[output] = {group: float(np.mean(ap[part])) for group, part in GROUPS.items()}
    return measured
