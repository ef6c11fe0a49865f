"""What the test split says of each run, and means over seeds."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from caffe_compat.experiments.demo.recipe import BASELINE, SRN
from caffe_compat.experiments.runs import Run, predict
from caffe_compat.srn.datasets.scene_rules import POSITIONAL
from caffe_compat.srn.metrics.datasets import DATASETS
from caffe_compat.srn.metrics.measurement import Measurement, measure
from caffe_compat.srn.metrics.text_matrices import read_labels

FIGURES = ("mAP", "F1-C", "F1-O")
GROUPS = {
    "appearance": slice(0, POSITIONAL.start),
    "position": slice(POSITIONAL.start, POSITIONAL.stop),
}


@dataclass(frozen=True)
class MeasuredRun:
    """A run and the measurements of its outputs; the first output is the model's prediction."""

    run: Run
    measurements: dict[str, Measurement]

    @property
    def prediction(self) -> Measurement:
        """Of the model's prediction."""
        return self.measurements[self.run.arm.outputs[0]]


def judge(run: Run, split: str = "test") -> MeasuredRun:
    """Measure all outputs of a run on a split."""
    labels = read_labels(run.files(split).labels)
    scores = {output: predict(run, output, split) for output in run.arm.outputs}
    return MeasuredRun(run, {output: measure(output, labels, s, DATASETS["coco"]) for output, s in scores.items()})


def of_arm(outcomes: Sequence[MeasuredRun], name: str) -> list[MeasuredRun]:
    """Those of one model, by seed."""
    return sorted((outcome for outcome in outcomes if outcome.run.name == name), key=lambda outcome: outcome.run.seed)


def mean_figures(outcomes: Sequence[MeasuredRun], output: str | None = None) -> dict[str, float]:
    """Each figure's mean over seeds, of one output or the prediction."""
    chosen = [outcome.measurements[output] if output else outcome.prediction for outcome in outcomes]
    return {name: float(np.mean([measurement.figures[name] for measurement in chosen])) for name in FIGURES}


def group_ap(measurement: Measurement, group: str) -> float:
    """Mean AP of the labels that appearance tells, or of those that need relative position."""
    return float(np.nanmean(measurement.ap[GROUPS[group]]))


def mean_gain(outcomes: Sequence[MeasuredRun], group: str | None = None) -> float:
    """What SRN's prediction gains over the baseline's, in mAP of all labels or of a group; mean over seeds."""
    return float(np.mean(gains(outcomes, group)))


def gains(outcomes: Sequence[MeasuredRun], group: str | None = None) -> list[float]:
    """The same, one a seed."""
    pairs = zip(of_arm(outcomes, SRN), of_arm(outcomes, BASELINE), strict=True)
    figure = (lambda m: group_ap(m, group)) if group else (lambda m: m.figures["mAP"])
    return [figure(ours.prediction) - figure(base.prediction) for ours, base in pairs]


def ap_gains(outcomes: Sequence[MeasuredRun]) -> NDArray[np.float64]:
    """SRN's gain in AP, one a label, mean over seeds."""
    pairs = zip(of_arm(outcomes, SRN), of_arm(outcomes, BASELINE), strict=True)
    return np.asarray(np.mean([ours.prediction.ap - base.prediction.ap for ours, base in pairs], axis=0))
