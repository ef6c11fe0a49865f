"""All figures of one file of predictions."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from caffe_compat.srn.metrics import later_papers, released
from caffe_compat.srn.metrics.average_precision import average_precisions, mean_of_known, rank_images
from caffe_compat.srn.metrics.bootstrap import interval, resampled_figures
from caffe_compat.srn.metrics.datasets import PAPER, Conventions, EvaluationRules
from caffe_compat.srn.metrics.decisions import are_probabilities, probabilities
from caffe_compat.srn.metrics.precision_recall import PrecisionRecallF1, count_labels, precision_recall_f1
from caffe_compat.srn.metrics.text_matrices import UNKNOWN


@dataclass(frozen=True)
class Measurement:
    """Figures in 0..1; arrays have one element per class."""

    name: str
    figures: dict[str, float]  # mAP, F1-C ..., "top3 F1-C" ..., "top3+filter F1-C" ..., WIDER: "specified F1-C" ...
    ap: NDArray[np.float64]  # NaN where the class has no positives
    by_class: PrecisionRecallF1
    later: later_papers.LaterFigures
    resampled: dict[str, NDArray[np.float64]]  # each figure in every bootstrap round; empty without
    of_probabilities: bool = False  # whether the scores were taken as probabilities

    def intervals(self) -> dict[str, tuple[float, float]]:
        """The 95 % confidence interval of each figure."""
        return {name: interval(values) for name, values in self.resampled.items()}


def measure(
    name: str,
    labels: NDArray[np.int8],
    scores: NDArray[np.float64],
    rules: EvaluationRules,
    conventions: Conventions = PAPER,
    *,
    rounds: int = 0,
    seed: int = 0,
) -> Measurement:
    """Measure scores against labels, both (images, classes), as the released evaluate.m does.

    Labels are 1, 0, -1 or UNKNOWN; `rounds` of bootstrap draw with `seed`. DataError names the predictions by `name`.
    """
    given = are_probabilities(scores, conventions.scores, name)
    confidences = scores if given else probabilities(scores)
    present, known = labels == 1, labels != UNKNOWN
    specified = known & (labels != 0) if rules.ignore_unspecified else None
    rankings = rank_images(present, confidences, known if specified is None else specified)
    ap = average_precisions(rankings, method=conventions.ap)
    blocks = released.decided_blocks(present, confidences, known, specified, conventions.threshold)
    return Measurement(
        name=name,
        figures={"mAP": mean_of_known(ap), **released.measure(blocks)},
        ap=ap,
        by_class=precision_recall_f1(count_labels(*blocks[""])),
        later=later_papers.measure(present, confidences, rankings, known, conventions.threshold),
        resampled=resampled_figures(rankings, blocks, rounds=rounds, seed=seed, method=conventions.ap)
        if rounds
        else {},
        of_probabilities=given,
    )
