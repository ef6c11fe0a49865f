"""The released code's convention (evaluate.m): interpolated AP, F1-C as the mean of the classes' F1.

The top-3 figures, which the released code leaves out, follow the paper's section 4.1 and its authors' word that
only COCO drops labels with probability up to 0.5 first: `top3` gives always three labels, `top3+filter` at most three.
"""

import numpy as np
from numpy.typing import NDArray

from caffe_compat.srn.metrics.decisions import most_confident
from caffe_compat.srn.metrics.precision_recall import LabelCounts, count_labels, precision_recall_f1

THRESHOLD = 0.5
FIGURES = ("F1-C", "P-C", "R-C", "F1-O", "P-O", "R-O")


def decisions(confidences: NDArray[np.float64]) -> dict[str, NDArray[np.bool_]]:
    """The labels given to each image under each of the three rules, by the prefix of their figures' names."""
    confident = confidences > THRESHOLD
    top3 = most_confident(confidences, 3)
    return {"": confident, "top3 ": top3, "top3+filter ": top3 & confident}


def figures_of_counts(counts: LabelCounts) -> dict[str, NDArray[np.float64]]:
    """F1-C, P-C, R-C (means of the classes' figures), F1-O, P-O, R-O; leading axes of the counts are kept."""
    by_class, overall = precision_recall_f1(counts), precision_recall_f1(counts.overall())
    values = (by_class.f1, by_class.precision, by_class.recall)
    means = [value.mean(axis=-1) for value in values]
    return dict(zip(FIGURES, [*means, overall.f1, overall.precision, overall.recall], strict=True))


def measure(present: NDArray[np.bool_], confidences: NDArray[np.float64]) -> dict[str, float]:
    """All figures but mAP, in 0..1, from the true labels and the probabilities (images, classes)."""
    return {
        prefix + name: float(value)
        for prefix, decided in decisions(confidences).items()
        for name, value in figures_of_counts(count_labels(present, decided)).items()
    }
