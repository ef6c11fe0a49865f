"""Two runs side by side: errors, a verdict a layer, and the first layer that differs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from caffe_compat.parity.trace import Array, LayerValue

#: float32 sums in another order, through a hundred layers: released_like and ResNet-50 stay below 1e-4 of a blob's
#: largest value against two real Caffes.
TOLERANCE = 1e-3


@dataclass(frozen=True)
class Difference:
    """One top in both runs. `relative_error` is the largest error over the largest value of the other's blob."""

    layer: str
    type: str
    top: str
    shape: tuple[int, ...]
    other_shape: tuple[int, ...]
    max_error: float
    relative_error: float
    cosine: float
    agrees: bool

    @property
    def verdict(self) -> str:
        if self.agrees:
            return "same"
        return "differs" if self.shape == self.other_shape else "other shape"


@dataclass
class Comparison:
    """All tops that both runs have, in our order, and what was said about the other side."""

    against: str
    differences: list[Difference]
    notes: list[str] = field(default_factory=list)
    not_compared: list[str] = field(default_factory=list)

    @property
    def first_wrong(self) -> Difference | None:
        """The first layer that differs; later ones may differ only because of it."""
        return next((difference for difference in self.differences if not difference.agrees), None)

    @property
    def max_error(self) -> float:
        """The largest relative error over all layers."""
        return max((difference.relative_error for difference in self.differences), default=float("inf"))

    @property
    def agrees(self) -> bool:
        """Whether something was compared and all of it is the same."""
        return bool(self.differences) and self.first_wrong is None


Key = tuple[str, str]


def compare(
    ours: Sequence[LayerValue], theirs: Mapping[Key, Array], against: str, tolerance: float = TOLERANCE
) -> Comparison:
    """Compares tops by (layer, top); those that the other side lacks are listed."""
    differences = [
        difference_of(value, theirs[value.layer, value.top], tolerance)
        for value in ours
        if (value.layer, value.top) in theirs
    ]
    missing = [f"{value.layer} -> {value.top}" for value in ours if (value.layer, value.top) not in theirs]
    return Comparison(against, differences, not_compared=missing)


def difference_of(ours: LayerValue, other: Array, tolerance: float) -> Difference:
    """The errors of one top, in float64."""
    mine, theirs = (np.asarray(array, np.float64) for array in (ours.value, other))
    same_count = mine.size == theirs.size
    errors = _errors(mine.ravel(), theirs.ravel()) if same_count else (float("inf"), float("inf"), 0.0)
    return Difference(
        ours.layer, ours.type, ours.top, mine.shape, theirs.shape, *errors, agrees=same_count and errors[1] <= tolerance
    )


def _errors(mine: np.ndarray[Any, Any], theirs: np.ndarray[Any, Any]) -> tuple[float, float, float]:
    if not mine.size:
        return 0.0, 0.0, 1.0
    if not (np.isfinite(mine).all() and np.isfinite(theirs).all()):
        same = bool(np.array_equal(mine, theirs, equal_nan=True))
        return (0.0, 0.0, 1.0) if same else (float("inf"), float("inf"), 0.0)
    largest = float(np.abs(mine - theirs).max())
    scale = max(float(np.abs(theirs).max()), 1e-6)
    norms = float(np.linalg.norm(mine) * np.linalg.norm(theirs))
    return largest, largest / scale, float(mine @ theirs / norms) if norms else float(largest == 0)
