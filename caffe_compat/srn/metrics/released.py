"""The released code's convention (evaluate.m): F1-C is the mean of the classes' F1, and P, R and F1 hold an eps.

The top-3 figures, which the released code leaves out, follow the paper's section 4.1: `top3` always gives three
labels. `top3+filter` drops those with a probability lower than 0.5, as section 4.2 says of MS-COCO.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from caffe_compat.srn.metrics.decisions import most_confident
from caffe_compat.srn.metrics.precision_recall import LabelCounts, count_labels, precision_recall_f1

THRESHOLD = 0.5
FIGURES = ("F1-C", "P-C", "R-C", "F1-O", "P-O", "R-O")
#: What stands before the names of the figures that leave unspecified labels out, as the paper's text says.
SPECIFIED = "specified "

Flags = NDArray[np.bool_]


class Decided(NamedTuple):
    """Which labels images have and which they are given (images, classes), without the cells that do not count."""

    present: Flags
    given: Flags


def decisions(confidences: NDArray[np.float64], threshold: float = THRESHOLD) -> dict[str, Flags]:
    """The labels given to each image under each of the three rules, by the prefix of their figures' names."""
    top3 = most_confident(confidences, 3)
    return {"": confidences > threshold, "top3 ": top3, "top3+filter ": top3 & (confidences >= threshold)}


def decided_blocks(
    present: Flags,
    confidences: NDArray[np.float64],
    known: Flags,
    specified: Flags | None = None,
    threshold: float = THRESHOLD,
) -> dict[str, Decided]:
    """What each block of figures counts, by the prefix of its figures' names; all arrays are (images, classes).

    Cells that are not `known` count nowhere. `specified` adds a block that counts its cells only.
    """
    given = decisions(confidences, threshold)
    blocks = {prefix: Decided(present & known, flags & known) for prefix, flags in given.items()}
    if specified is not None:
        blocks[SPECIFIED] = Decided(present & specified, given[""] & specified)
    return blocks


def figures_of_counts(counts: LabelCounts) -> dict[str, NDArray[np.float64]]:
    """F1-C, P-C, R-C (means of the classes' figures), F1-O, P-O, R-O; leading axes of the counts are kept."""
    by_class, overall = precision_recall_f1(counts), precision_recall_f1(counts.overall())
    values = (by_class.f1, by_class.precision, by_class.recall)
    means = [value.mean(axis=-1) for value in values]
    return dict(zip(FIGURES, [*means, overall.f1, overall.precision, overall.recall], strict=True))


def measure(blocks: dict[str, Decided]) -> dict[str, float]:
    """All figures but mAP, in 0..1, of every block."""
    return {
        prefix + name: float(value)
        for prefix, block in blocks.items()
        for name, value in figures_of_counts(count_labels(*block)).items()
    }
