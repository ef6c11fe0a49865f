"""The gain of one model over another by class, and its correlation with concurrent labels (Figure 7)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from caffe_compat.srn.metrics.bootstrap import interval
from caffe_compat.srn.metrics.measurement import Measurement


@dataclass(frozen=True)
class Gains:
    """The gains of one file of predictions over the first one."""

    base: str
    name: str
    ap_gain: NDArray[np.float64]  # (classes,), NaN where the class has no positives
    gains: dict[str, float]  # of the figures of the released convention
    gain_intervals: dict[str, tuple[float, float]]  # empty without bootstrap
    correlation: float  # Pearson's, of AP gain and co-occurring labels; NaN where one of them is constant


def co_occurring_labels(present: NDArray[np.bool_]) -> NDArray[np.float64]:
    """For each class, (classes,), the mean number of other labels in its images; NaN for a class without images."""
    labels_of_image = present.sum(axis=1).astype(np.float64)
    images = present.sum(axis=0)
    means = np.full(images.shape, np.nan)
    np.divide(labels_of_image @ present, images, out=means, where=images > 0)
    return means - 1


def compare(base: Measurement, other: Measurement, co_occurring: NDArray[np.float64]) -> Gains:
    """The gains of `other` over `base`. Intervals are of paired rounds, since both were drawn the same images."""
    ap_gain = other.ap - base.ap
    return Gains(
        base=base.name,
        name=other.name,
        ap_gain=ap_gain,
        gains={name: value - base.figures[name] for name, value in other.figures.items()},
        gain_intervals={name: interval(values - base.resampled[name]) for name, values in other.resampled.items()},
        correlation=_correlation(ap_gain, co_occurring),
    )


def _correlation(gain: NDArray[np.float64], co_occurring: NDArray[np.float64]) -> float:
    known = ~np.isnan(gain)
    gain, co_occurring = gain[known], co_occurring[known]
    if not known.any() or gain.std() == 0 or co_occurring.std() == 0:
        return float("nan")
    return float(
        np.mean((gain - gain.mean()) * (co_occurring - co_occurring.mean())) / (gain.std() * co_occurring.std())
    )
