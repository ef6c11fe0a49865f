"""Finds the value of a number for which a layer's result is nearest to the other side's."""

import math
from collections.abc import Callable

from caffe_compat.parity.causes.trial import Trial
from caffe_compat.parity.measure import errors_between
from caffe_compat.parity.recording import Recorded
from caffe_compat.parity.replay import array_of

#: Number of golden-section steps; each multiplies the length of the interval by 0.618.
STEPS = 40
_SECTION = (math.sqrt(5) - 1) / 2


def fit_number(make: Callable[[float], Trial], theirs: Recorded, start: float) -> float:
    """Returns the best value of either sign; its size is searched from 1/1000 to 1000 times |start| (or 1)."""
    size = abs(start) or 1.0
    grid = [sign * size * 10.0**power for sign in (-1, 1) for power in (-3, -2, -1, 0, 1, 2, 3)]
    return _refine(lambda value: _error(make(value), theirs), sorted([*grid, 0.0]))


def fit_factor(make: Callable[[float], Trial], theirs: Recorded, start: float) -> float:
    """Returns the best positive value from 1e-14 to 1, such as an eps; the search is on a logarithmic scale."""
    best = _refine(lambda power: _error(make(10.0**power), theirs), [float(power) for power in range(-14, 1)])
    return float(10.0**best)


def _error(trial: Trial, theirs: Recorded) -> float:
    result = trial.result()
    error = math.inf if result is None else errors_between(array_of(result), theirs).relative
    return math.inf if math.isnan(error) else error


def _refine(error: Callable[[float], float], grid: list[float]) -> float:
    errors = [error(value) for value in grid]
    best = errors.index(min(errors))
    low, high = grid[max(best - 1, 0)], grid[min(best + 1, len(grid) - 1)]
    for _ in range(STEPS):
        left, right = high - _SECTION * (high - low), low + _SECTION * (high - low)
        if error(left) <= error(right):
            high = right
        else:
            low = left
    middle = (low + high) / 2
    return min((middle, grid[best]), key=error)
