"""Precision, recall and F1 as precision_recall_f1.m of the released code has them, its eps included."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]

# MATLAB's eps. It makes a class that is neither present nor predicted score 1 in all three.
EPS = float(np.finfo(np.float64).eps)


class LabelCounts(NamedTuple):
    """How often each class is decided and right, decided, and present; the last axis is the class."""

    true_positives: Numbers
    decided: Numbers
    present: Numbers

    def overall(self) -> "LabelCounts":
        """All classes as one; the class axis goes."""
        return LabelCounts(*(count.sum(axis=-1) for count in self))


class PrecisionRecallF1(NamedTuple):
    """Three figures a class (or one each, overall), in 0..1."""

    precision: Numbers
    recall: Numbers
    f1: Numbers


def count_labels(present: NDArray[np.bool_], decided: NDArray[np.bool_]) -> LabelCounts:
    """Count over the images of two arrays (images, classes)."""
    return LabelCounts(
        *(np.count_nonzero(flags, axis=0).astype(float) for flags in (present & decided, decided, present))
    )


def precision_recall_f1(counts: LabelCounts) -> PrecisionRecallF1:
    """The released formulas, term by term: eps is added to every count, and once more to recall."""
    true_positives, decided, present = (count + EPS for count in counts)
    precision = true_positives / decided
    recall = true_positives / present + EPS
    return PrecisionRecallF1(precision, recall, 2 * precision * recall / (precision + recall))
