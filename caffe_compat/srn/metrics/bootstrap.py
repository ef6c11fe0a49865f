"""Confidence intervals: evaluate again on images drawn with replacement, many times."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from caffe_compat.srn.metrics.average_precision import ClassRanking, average_precisions, mean_of_known
from caffe_compat.srn.metrics.precision_recall import LabelCounts
from caffe_compat.srn.metrics.released import decisions, figures_of_counts

PERCENTILES = (2.5, 97.5)


def resampled_figures(
    rankings: list[ClassRanking],
    present: NDArray[np.bool_],
    confidences: NDArray[np.float64],
    *,
    rounds: int,
    seed: int,
) -> dict[str, NDArray[np.float64]]:
    """Every figure of the released convention in each round, (rounds,).

    Nothing is sorted again: a drawn set is the ranking of all images with a count each. One seed draws the same
    sets for every file of predictions, so that rounds of two files can be subtracted from each other.
    """
    flags = {prefix: _flags(present, decided) for prefix, decided in decisions(confidences).items()}
    draws = tqdm(_draws(len(present), rounds, seed), total=rounds, desc="bootstrap", disable=None, leave=False)
    figures = [_figures(rankings, flags, weights) for weights in draws]
    return {name: np.array([figure[name] for figure in figures]) for name in figures[0]}


def interval(values: NDArray[np.float64]) -> tuple[float, float]:
    """The central 95 % of the rounds. In these, AP of a class with few positives tends to lie a little higher."""
    low, high = np.nanpercentile(values, PERCENTILES)
    return float(low), float(high)


def _flags(present: NDArray[np.bool_], decided: NDArray[np.bool_]) -> list[NDArray[np.float32]]:
    """What LabelCounts counts, as 0 and 1: a product with the weights then counts (exact below 2^24 images)."""
    return [flags.astype(np.float32) for flags in (present & decided, decided, present)]


def _draws(images: int, rounds: int, seed: int) -> Iterator[NDArray[np.int64]]:
    generator = np.random.default_rng(seed)
    for _ in range(rounds):
        yield np.bincount(generator.integers(images, size=images), minlength=images)


def _figures(
    rankings: list[ClassRanking], flags: dict[str, list[NDArray[np.float32]]], weights: NDArray[np.int64]
) -> dict[str, float]:
    figures = {"mAP": mean_of_known(average_precisions(rankings, weights))}
    factors = weights.astype(np.float32)
    for prefix, matrices in flags.items():
        counts = LabelCounts(*((factors @ matrix).astype(np.float64) for matrix in matrices))
        figures |= {prefix + name: float(value) for name, value in figures_of_counts(counts).items()}
    return figures
