"""skimage.transform.resize of scikit-image 0.12 (2016), in mode 'constant' and without anti-aliasing.

The two axes are independent: each target pixel is a weighted sum of a few source pixels, with black beyond the edges.

Results equal the compiled code of 0.12.3 to 1e-13, for pictures in 0..1. Exception: in orders 0 and 2, a target pixel
halfway between two source pixels; there 0.12.3 rounds by the numerical noise of its solver.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from caffe_compat.errors import ShapeError

Floats = NDArray[np.float64]
Taps = tuple[NDArray[np.intp], Floats]  # per target pixel: the first source pixel; weights from there on


def resize(picture: NDArray[Any], height: int, width: int, order: int = 1) -> Floats:
    """Resizes (rows, columns, ...) to (height, width, ...), clipped to the picture's range of values.

    `order`: 0 nearest, 1 bilinear, 2 biquadratic, 3 bicubic (Catmull-Rom).
    """
    if order not in _KERNELS:
        raise ShapeError(f"expected an interpolation order from 0 to {max(_KERNELS)}, got {order}")
    rows = _along_rows(picture.astype(np.float64), height, order)
    resized = _along_rows(rows.swapaxes(0, 1), width, order).swapaxes(0, 1)
    return np.clip(resized, picture.min(), picture.max())


def _along_rows(picture: Floats, target: int, order: int) -> Floats:
    places, shares = _places(len(picture), target, order)
    shares = shares.reshape(*shares.shape, *(1,) * (picture.ndim - 1))
    resized = np.zeros((target, *picture.shape[1:]))
    for tap in range(places.shape[1]):
        resized += shares[:, tap] * picture[places[:, tap]]
    return resized


@lru_cache(maxsize=4096)
def _places(size: int, target: int, order: int) -> Taps:
    """Source pixels and their weights, (target, taps); source pixels beyond the edges have weight 0."""
    first, shares = _KERNELS[order](np.arange(0.5, target) * (size / target) - 0.5)
    places = first[:, None] + np.arange(shares.shape[1])
    inside = (places >= 0) & (places < size)
    return np.clip(places, 0, size - 1), np.where(inside, shares, 0)


def _rounded(position: Floats) -> NDArray[np.intp]:
    """The nearest whole numbers, halves away from zero."""
    return np.trunc(position + np.where(position > 0, 0.5, -0.5)).astype(np.intp)


def _nearest(position: Floats) -> Taps:
    return _rounded(position), np.ones((len(position), 1))


def _linear(position: Floats) -> Taps:
    first = np.floor(position).astype(np.intp)
    x = position - first
    return first, np.stack([1 - x, x], axis=1)


def _quadratic(position: Floats) -> Taps:
    """Taps of Lagrange's parabola through the nearest pixel and its two neighbours."""
    first = _rounded(position) - 1
    x = position - first
    return first, np.stack([(x - 1) * (x - 2) / 2, -x * (x - 2), x * (x - 1) / 2], axis=1)


def _cubic(position: Floats) -> Taps:
    """Taps of Keys' cubic convolution with a = -1/2."""
    first = np.floor(position).astype(np.intp) - 1
    x = position - first - 1
    shares = (
        x * (-1 + x * (2 - x)) / 2,
        1 + x * x * (3 * x - 5) / 2,
        x * (1 + x * (4 - 3 * x)) / 2,
        x * x * (x - 1) / 2,
    )
    return first, np.stack(shares, axis=1)


_KERNELS: dict[int, Callable[[Floats], Taps]] = {0: _nearest, 1: _linear, 2: _quadratic, 3: _cubic}
