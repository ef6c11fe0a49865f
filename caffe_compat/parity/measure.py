"""Measures the distance between two blobs; defines the tolerances."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from caffe_compat.parity.recording import Array, BlobSample, Recorded


@dataclass(frozen=True)
class Errors:
    """The largest absolute error, the error relative to the other blob's largest value, and the cosine of both."""

    largest: float
    relative: float
    cosine: float


EQUAL = Errors(0.0, 0.0, 1.0)
INCOMPARABLE = Errors(math.inf, math.inf, 0.0)


@dataclass(frozen=True)
class Tolerances:
    """Largest relative errors at which blobs count as equal.

    - `layer`: for one layer on the other side's bottoms, or one layer's gradients.
    - `net`: after all earlier layers.
    - `update`: for the change of a weight in training, relative to the largest change.
    """

    layer: float
    net: float
    layer_gradient: float
    net_gradient: float
    update: float


#: float32 sums in another order give 1e-6 to 2e-5 in one layer (a Winograd convolution: 1e-4) and below 1e-4 after a
#: hundred of them; an eps of 1e-4 in place of 1e-5 at a variance of 0.3 gives 1.5e-4. bfloat16 keeps 8 bits.
TOLERANCES = {
    "float32": Tolerances(layer=3e-5, net=1e-3, layer_gradient=2e-3, net_gradient=1e-2, update=1e-2),
    "bf16": Tolerances(layer=3e-2, net=0.3, layer_gradient=5e-2, net_gradient=0.5, update=0.5),
}
#: Blobs with values below this count as zero.
FLOOR = 1e-6


def errors_between(ours: Array, theirs: Recorded, floor: float = FLOOR) -> Errors:
    """Returns the errors of a blob, computed in float64; INCOMPARABLE if the numbers of elements differ.

    `floor` is the least size to which errors are relative.
    """
    if isinstance(theirs, BlobSample):
        return _errors(_flat(theirs.of(ours)), _flat(theirs.values), max(theirs.largest, floor))
    if ours.size != theirs.size:
        return INCOMPARABLE
    if not ours.size:
        return EQUAL
    mine, other = _flat(ours), _flat(theirs)
    finite = other[np.isfinite(other)]
    return _errors(mine, other, max(float(np.abs(finite).max(initial=0.0)), floor))


def _flat(values: Array) -> np.ndarray[Any, np.dtype[np.float64]]:
    return np.asarray(values, np.float64).ravel()


def _errors(mine: Array, other: Array, scale: float) -> Errors:
    known = np.isfinite(mine) & np.isfinite(other)
    if not np.array_equal(mine[~known], other[~known], equal_nan=True):
        return INCOMPARABLE
    mine, other = mine[known], other[known]
    largest = float(np.abs(mine - other).max(initial=0.0))
    norms = float(np.linalg.norm(mine) * np.linalg.norm(other))
    return Errors(largest, largest / scale, float(mine @ other / norms) if norms else float(largest == 0))
