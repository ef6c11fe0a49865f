"""Confidence intervals from many evaluations, each of images drawn with replacement."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from caffe_compat.srn.metrics.average_precision import ClassRanking, average_precisions, mean_of_known
from caffe_compat.srn.metrics.precision_recall import LabelCounts
from caffe_compat.srn.metrics.released import Decided, figures_of_counts
from caffe_compat.terminal.progress import Progress

PERCENTILES = (2.5, 97.5)


def resampled_figures(
    rankings: list[ClassRanking], blocks: dict[str, Decided], *, rounds: int, seed: int, method: str = "released"
) -> dict[str, NDArray[np.float64]]:
    """Every figure of the released convention in each round, (rounds,); `method` defines AP.

    Nothing is sorted again: a drawn set is the ranking of all images with a count for each. One seed draws the same
    sets for every file of predictions, so that rounds of two files can be subtracted from each other.
    """
    images = len(blocks[""].present)
    flags = {prefix: _flags(block) for prefix, block in blocks.items()}
    figures = []
    with Progress("bootstrap", rounds, "rounds") as progress:
        for weights in _draws(images, rounds, seed):
            figures.append(_figures(rankings, flags, weights, method))
            progress.advance()
    return {name: np.array([figure[name] for figure in figures]) for name in figures[0]}


def interval(values: NDArray[np.float64]) -> tuple[float, float]:
    """The central 95 % of the rounds; NaN where no round has a value.

    In these rounds, AP of a class with few positives tends to lie a little higher.
    """
    known = values[~np.isnan(values)]
    if not known.size:
        return float("nan"), float("nan")
    low, high = np.percentile(known, PERCENTILES)
    return float(low), float(high)


def _flags(block: Decided) -> list[NDArray[np.float32]]:
    """The flags of LabelCounts as 0 and 1: weights @ flags are counts, exact below 2^24 images."""
    return [flags.astype(np.float32) for flags in (block.present & block.given, block.given, block.present)]


def _draws(images: int, rounds: int, seed: int) -> Iterator[NDArray[np.int64]]:
    generator = np.random.default_rng(seed)
    for _ in range(rounds):
        yield np.bincount(generator.integers(images, size=images), minlength=images)


def _figures(
    rankings: list[ClassRanking],
    flags: dict[str, list[NDArray[np.float32]]],
    weights: NDArray[np.int64],
    method: str,
) -> dict[str, float]:
    figures = {"mAP": mean_of_known(average_precisions(rankings, weights, method))}
    factors = weights.astype(np.float32)
    for prefix, matrices in flags.items():
        counts = LabelCounts(*((factors @ matrix).astype(np.float64) for matrix in matrices))
        figures |= {prefix + name: float(value) for name, value in figures_of_counts(counts).items()}
    return figures
