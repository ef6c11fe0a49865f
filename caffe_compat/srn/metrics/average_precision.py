"""Average precision with VOC 2012's interpolation (AP_VOC.m and get_mAP_eccv16.m of the released code)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class ClassRanking:
    """The images that count for one class, most confident first."""

    images: NDArray[np.intp]
    positive_places: NDArray[np.intp]  # where in `images` those that have the label stand


def rank_images(
    labels: NDArray[np.int8], confidences: NDArray[np.float64], *, ignore_unspecified: bool
) -> list[ClassRanking]:
    """One ranking a class from labels and confidences (images, classes). Equal confidences keep the file's order."""
    return [
        _rank_class(class_labels, class_confidences, ignore_unspecified)
        for class_labels, class_confidences in zip(labels.T, np.ascontiguousarray(confidences.T), strict=True)
    ]


def _rank_class(labels: NDArray[np.int8], confidences: NDArray[np.float64], ignore_unspecified: bool) -> ClassRanking:
    order = np.argsort(-confidences, kind="stable")
    if ignore_unspecified:
        order = order[labels[order] != 0]
    return ClassRanking(order, np.flatnonzero(labels[order] == 1))


def average_precisions(rankings: list[ClassRanking], weights: NDArray[np.int64] | None = None) -> NDArray[np.float64]:
    """AP of each class, NaN where it has no positives; `weights` says how often each image is counted (bootstrap)."""
    return np.array([_average_precision(ranking, weights) for ranking in rankings])


def mean_of_known(values: NDArray[np.float64]) -> float:
    """Mean over the classes that have a value; NaN if none has."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if known.size else float("nan")


def _average_precision(ranking: ClassRanking, weights: NDArray[np.int64] | None) -> float:
    """Mean over the positives of the best precision at or below their rank.

    Recall moves at positives only, and precision rises at positives only, so that the interpolated curve is
    known from its values there. An image counted w times stands for w equal neighbours in the ranking.
    """
    places = ranking.positive_places
    if weights is None:
        counts, ranks = np.ones(len(places), dtype=np.int64), places + 1
    else:
        image_counts = weights[ranking.images]
        places = places[image_counts[places] > 0]
        counts, ranks = image_counts[places], np.cumsum(image_counts)[places]
    if not len(places):
        return float("nan")
    true_positives = np.cumsum(counts)
    interpolated = np.maximum.accumulate((true_positives / ranks)[::-1])[::-1]
    return float(counts @ interpolated / true_positives[-1])
