"""Precision, recall and F1 as the released precision_recall_f1.m computes them, with its eps."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]

# MATLAB's eps. With it, a class that is neither present nor predicted has precision, recall and F1 of 1.
EPS = float(np.finfo(np.float64).eps)


class LabelCounts(NamedTuple):
    """Numbers of images in which a class is given rightly, given, and present; the last axis is the class."""

    true_positives: Numbers
    decided: Numbers
    present: Numbers

    def overall(self) -> "LabelCounts":
        """The sums over all classes, without the class axis."""
        return LabelCounts(*(count.sum(axis=-1) for count in self))


class PrecisionRecallF1(NamedTuple):
    """Precision, recall and F1 in 0..1: one of each per class, or one of each overall."""

    precision: Numbers
    recall: Numbers
    f1: Numbers


def count_labels(present: NDArray[np.bool_], decided: NDArray[np.bool_]) -> LabelCounts:
    """Counts per class, (classes,), from two arrays (images, classes): what is true, and what was given."""
    return LabelCounts(
        *(np.count_nonzero(flags, axis=0).astype(float) for flags in (present & decided, decided, present))
    )


def precision_recall_f1(counts: LabelCounts) -> PrecisionRecallF1:
    """The released formulas: eps is added to every count, and once more to recall."""
    true_positives, decided, present = (count + EPS for count in counts)
    precision = true_positives / decided
    recall = true_positives / present + EPS
    return PrecisionRecallF1(precision, recall, 2 * precision * recall / (precision + recall))
