"""Correlation of every neuron of "conv4" with the place of every label (Figure 5), corrected for how many are tried."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

AXES = ("vertical", "horizontal")
FEWEST_IMAGES = 20
CERTAIN = 0.05


@dataclass(frozen=True)
class Correlations:
    """Pearson's r of M neurons with the place of C labels along both axes, over the images that have the label.

    `r` and `p` are (M, C, 2), NaN where a neuron is constant or too few images have the label; `p` is Bonferroni's:
    the chance of such an r times the number of pairs tried, at most 1. `images` (C,) counts images.
    """

    r: NDArray[np.float64]
    p: NDArray[np.float64]
    images: NDArray[np.int64]
    tried: int

    @property
    def certain(self) -> int:
        """How many neurons follow some label's place beyond chance, after the correction."""
        return int((np.nan_to_num(self.p, nan=1.0) < CERTAIN).any(axis=(1, 2)).sum())

    def strongest(self, number: int) -> list[tuple[int, int, int]]:
        """The pairs with the largest |r|, as (neuron, label, axis); one for each neuron."""
        size = np.nan_to_num(np.abs(self.r), nan=-1.0).reshape(len(self.r), -1)
        best = size.argmax(1)
        order = np.argsort(-size.max(1), kind="stable")[:number]
        pairs = [(int(neuron), *divmod(int(best[neuron]), len(AXES))) for neuron in order if size[neuron].max() >= 0]
        return [(neuron, label, axis) for neuron, label, axis in pairs]

    def interval(self, pair: tuple[int, int, int]) -> tuple[float, float]:
        """The 95 % interval of one r (Fisher's z), without the correction."""
        r, count = self.r[pair], self.images[pair[1]]
        half = stats.norm.ppf(0.975) / np.sqrt(count - 3)
        low, high = np.tanh(np.arctanh(np.clip(r, -0.999999, 0.999999)) + np.array([-half, half]))
        return float(low), float(high)


def correlate(neurons: NDArray[np.floating], centres: NDArray[np.float64]) -> Correlations:
    """The correlations of neurons (N, M) with the centres of labels (N, C, 2), NaN where a label has no place."""
    labels = centres.shape[1]
    r = np.full((neurons.shape[1], labels, len(AXES)), np.nan)
    known = ~np.isnan(centres[:, :, 0])
    images = known.sum(0)
    for label in np.flatnonzero(images >= FEWEST_IMAGES):
        r[:, label] = _pearson(neurons[known[:, label]].astype(np.float64), centres[known[:, label], label])
    tried = int(np.isfinite(r).sum())
    return Correlations(r, _corrected(r, images, tried), images, tried)


def _pearson(values: NDArray[np.float64], places: NDArray[np.float64]) -> NDArray[np.float64]:
    """r of each column of `values` (n, M) with each of `places` (n, 2); NaN where a column is constant."""
    values, places = values - values.mean(0), places - places.mean(0)
    spread = np.sqrt((values**2).sum(0))[:, None] * np.sqrt((places**2).sum(0))[None]
    result = np.full(spread.shape, np.nan)
    np.divide(values.T @ places, spread, out=result, where=spread > 1e-9)
    return np.clip(result, -1, 1)


def _corrected(r: NDArray[np.float64], images: NDArray[np.int64], tried: int) -> NDArray[np.float64]:
    freedom = np.maximum(images - 2, 1)[None, :, None]
    with np.errstate(divide="ignore"):
        t = np.abs(r) * np.sqrt(freedom / np.maximum(1 - r**2, 1e-15))
    return np.asarray(np.minimum(1.0, 2 * stats.t.sf(t, freedom) * tried))
