"""Average precision of each class, by three definitions.

`released` interpolates as VOC 2012 (AP_VOC.m and get_mAP_eccv16.m of the released code), `voc07` takes the mean at
eleven recalls (VOC 2007), and `sklearn` does not interpolate (scikit-learn's average_precision_score).
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Counts = NDArray[np.int64]
RECALLS = np.arange(11)  # in tenths


@dataclass(frozen=True)
class ClassRanking:
    """The images that count for one class, most confident first."""

    images: NDArray[np.intp]
    positive_places: NDArray[np.intp]  # where in `images` those that have the label stand
    tie_ends: NDArray[np.intp]  # for each of these places the last place of the same confidence


@dataclass(frozen=True)
class Positives:
    """What AP depends on: for each positive, in the order of the ranking, how many images stand up to it."""

    counts: Counts  # how often the image counts; 1 without a bootstrap
    ranks: Counts  # images up to the positive
    tie_ranks: Counts  # images up to the last one of the positive's confidence
    tie_true: Counts  # positives among these


def rank_images(
    present: NDArray[np.bool_], confidences: NDArray[np.float64], counted: NDArray[np.bool_]
) -> list[ClassRanking]:
    """One ranking per class from arrays (images, classes); cells that are not `counted` are left out.

    Equal confidences keep the order of the file.
    """
    columns = zip(present.T, np.ascontiguousarray(confidences.T), counted.T, strict=True)
    return [_rank_class(*column) for column in columns]


def _rank_class(
    present: NDArray[np.bool_], confidences: NDArray[np.float64], counted: NDArray[np.bool_]
) -> ClassRanking:
    order = np.argsort(-confidences, kind="stable")
    order = order[counted[order]]
    places = np.flatnonzero(present[order])
    ascending = confidences[order][::-1]
    tie_ends = len(order) - 1 - np.searchsorted(ascending, confidences[order[places]], side="left")
    return ClassRanking(order, places, tie_ends)


def average_precisions(
    rankings: list[ClassRanking], weights: Counts | None = None, method: str = "released"
) -> NDArray[np.float64]:
    """AP of each class, NaN where it has no positives; `weights` says how often each image counts (bootstrap)."""
    average = AP_METHODS[method]
    positives = [_positives(ranking, weights) for ranking in rankings]
    return np.array([average(each) if len(each.counts) else np.nan for each in positives])


def mean_of_known(values: NDArray[np.float64]) -> float:
    """Mean over the classes that have a value; NaN if none has."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if known.size else float("nan")


def _positives(ranking: ClassRanking, weights: Counts | None) -> Positives:
    """An image that counts w times stands for w equal neighbours in the ranking."""
    places, ends = ranking.positive_places, ranking.tie_ends
    if weights is None:
        counts, ranks = np.ones(len(places), np.int64), np.arange(1, len(ranking.images) + 1)
    else:
        image_counts = weights[ranking.images]
        drawn = image_counts[places] > 0
        places, ends = places[drawn], ends[drawn]
        counts, ranks = image_counts[places], np.cumsum(image_counts)
    true_positives = np.cumsum(counts)
    tie_true = true_positives[np.searchsorted(places, ends, side="right") - 1]
    return Positives(counts, ranks[places], ranks[ends], tie_true)


def _interpolated(positives: Positives) -> NDArray[np.float64]:
    """For each positive the best precision at or below its rank.

    Recall and the maxima of precision move at positives only, so the interpolated curve is known from them.
    """
    precision = np.cumsum(positives.counts) / positives.ranks
    return np.maximum.accumulate(precision[::-1])[::-1]


def _released(positives: Positives) -> float:
    """The mean over the positives of the interpolated precision."""
    return float(positives.counts @ _interpolated(positives) / positives.counts.sum())


def _voc07(positives: Positives) -> float:
    """The mean of the interpolated precision at recalls 0, 0.1 ... 1, compared in whole numbers."""
    true_positives = np.cumsum(positives.counts)
    first = np.searchsorted(10 * true_positives, RECALLS * true_positives[-1], side="left")
    return float(_interpolated(positives)[first].mean())


def _sklearn(positives: Positives) -> float:
    """The mean over the positives of the precision at their confidence; equal confidences are one threshold."""
    return float(positives.counts @ (positives.tie_true / positives.tie_ranks) / positives.counts.sum())


AP_METHODS: dict[str, Callable[[Positives], float]] = {"released": _released, "voc07": _voc07, "sklearn": _sklearn}
