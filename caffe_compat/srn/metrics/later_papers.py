"""The convention of later papers (ML-GCN, CSRA, ASL): raw AP, and CF1 as the F1 of mean precision and mean recall.

These are not the paper's quantities: their numbers are not comparable with its tables. A class without positives
is left out; a class that is never predicted has precision 0.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from caffe_compat.srn.metrics.average_precision import ClassRanking, average_precisions, mean_of_known
from caffe_compat.srn.metrics.decisions import most_confident
from caffe_compat.srn.metrics.precision_recall import count_labels

NAME = "convention of later papers"


@dataclass(frozen=True)
class LaterFigures:
    """Figures in 0..1: mAP, CP, CR, CF1, OP, OR, OF1, and the last six for the top 3; `ap` (classes,) may be NaN."""

    figures: dict[str, float]
    ap: NDArray[np.float64]


def measure(
    present: NDArray[np.bool_],
    confidences: NDArray[np.float64],
    rankings: list[ClassRanking],
    known: NDArray[np.bool_],
    threshold: float = 0.5,
) -> LaterFigures:
    """Measure probabilities against true labels, both (images, classes), in the cells that are `known`.

    The rankings say which images count in AP. A label is given where the probability reaches the threshold, as
    ML-GCN's util.py gives it where the raw score is at least 0; top-3 keeps this threshold.
    """
    confident, present = (confidences >= threshold) & known, present & known
    ap = average_precisions(rankings, method="sklearn")
    figures = {
        "mAP": mean_of_known(ap),
        **_precision_recall(present, confident, ""),
        **_precision_recall(present, most_confident(confidences, 3) & confident, "top3 "),
    }
    return LaterFigures(figures, ap)


def _precision_recall(present: NDArray[np.bool_], decided: NDArray[np.bool_], prefix: str) -> dict[str, float]:
    counts = count_labels(present, decided)
    known = counts.present > 0
    right, given, true = (count[known] for count in counts)
    mean_precision = mean_of_known(right / np.maximum(given, 1))
    mean_recall = mean_of_known(right / true)
    precision, recall = right.sum() / max(counts.decided.sum(), 1), right.sum() / max(true.sum(), 1)
    figures = {"CP": mean_precision, "CR": mean_recall, "CF1": _f1(mean_precision, mean_recall)}
    figures |= {"OP": float(precision), "OR": float(recall), "OF1": _f1(precision, recall)}
    return {prefix + name: value for name, value in figures.items()}


def _f1(precision: float, recall: float) -> float:
    return float(2 * precision * recall / (precision + recall)) if precision + recall else 0.0
