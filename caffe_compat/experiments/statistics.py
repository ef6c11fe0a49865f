"""Means over seeds, and how far they can be trusted."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats


@dataclass(frozen=True)
class SeedStatistics:
    """A quantity over seeds: mean, standard deviation and 95 % t-interval of the mean.

    With one seed only the mean is known; the other values are None.
    """

    mean: float
    deviation: float | None
    low: float | None
    high: float | None
    seeds: int

    def excludes(self, value: float) -> bool:
        """Whether the interval lies wholly on one side of `value`; False for one seed."""
        return self.low is not None and self.high is not None and not self.low <= value <= self.high


def over_seeds(values: Sequence[float]) -> SeedStatistics:
    """The statistics of one value for each seed (Student's t, 95 %)."""
    numbers = np.asarray(values, dtype=np.float64)
    mean, count = float(numbers.mean()), len(numbers)
    if count < 2:
        return SeedStatistics(mean, None, None, None, count)
    half = float(stats.t.ppf(0.975, count - 1) * stats.sem(numbers))
    return SeedStatistics(mean, float(numbers.std(ddof=1)), mean - half, mean + half, count)
