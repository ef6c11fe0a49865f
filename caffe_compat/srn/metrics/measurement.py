"""Everything that is measured of one file of predictions."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from caffe_compat.srn.metrics import later_papers, released
from caffe_compat.srn.metrics.average_precision import average_precisions, mean_of_known, rank_images
from caffe_compat.srn.metrics.bootstrap import interval, resampled_figures
from caffe_compat.srn.metrics.datasets import EvaluationRules
from caffe_compat.srn.metrics.decisions import probabilities
from caffe_compat.srn.metrics.precision_recall import PrecisionRecallF1, count_labels, precision_recall_f1


@dataclass(frozen=True)
class Measurement:
    """Figures in 0..1; arrays have one element a class."""

    name: str
    figures: dict[str, float]  # mAP, F1-C ..., "top3 F1-C" ..., "top3+filter F1-C" ...
    ap: NDArray[np.float64]  # NaN where the class has no positives
    by_class: PrecisionRecallF1
    later: later_papers.LaterFigures
    resampled: dict[str, NDArray[np.float64]]  # each figure in every bootstrap round; empty without

    def intervals(self) -> dict[str, tuple[float, float]]:
        """The 95 % confidence interval of each figure."""
        return {name: interval(values) for name, values in self.resampled.items()}


def measure(
    name: str,
    labels: NDArray[np.int8],
    scores: NDArray[np.float64],
    rules: EvaluationRules,
    *,
    rounds: int = 0,
    seed: int = 0,
) -> Measurement:
    """Measure raw scores against labels, both (images, classes); `rounds` of bootstrap draw with `seed`.

    Follows the released evaluate.m.
    """
    present, confidences = labels == 1, probabilities(scores)
    rankings = rank_images(labels, confidences, ignore_unspecified=rules.ignore_unspecified)
    ap = average_precisions(rankings)
    return Measurement(
        name=name,
        figures={"mAP": mean_of_known(ap), **released.measure(present, confidences)},
        ap=ap,
        by_class=precision_recall_f1(count_labels(present, confidences > released.THRESHOLD)),
        later=later_papers.measure(present, confidences, rankings),
        resampled=resampled_figures(rankings, present, confidences, rounds=rounds, seed=seed) if rounds else {},
    )
