"""Resizing as scikit-image 0.12 does it."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from caffe_compat.data.skimage_resize import resize
from caffe_compat.errors import ShapeError

RANDOM = np.random.RandomState(4)


def keys(x: float) -> float:
    """Keys' cubic convolution kernel, a = -1/2."""
    x = abs(x)
    if x < 1:
        return 1.5 * x**3 - 2.5 * x**2 + 1
    return -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2 if x < 2 else 0


def triangle(x: float) -> float:
    return max(0, 1 - abs(x))


def by_loops(picture: np.ndarray, height: int, width: int, kernel: Callable[..., Any]) -> np.ndarray:
    rows, columns, channels = picture.shape
    out = np.zeros((height, width, channels))
    for i, j, c in np.ndindex(out.shape):
        y, x = (i + 0.5) * rows / height - 0.5, (j + 0.5) * columns / width - 0.5
        out[i, j, c] = math.fsum(
            kernel(y - row) * kernel(x - column) * picture[row, column, c]
            for row in range(rows)
            for column in range(columns)
        )
    return np.clip(out, picture.min(), picture.max())


@pytest.mark.parametrize(("order", "kernel"), [(1, triangle), (3, keys)])
@pytest.mark.parametrize(("height", "width"), [(3, 4), (9, 13), (1, 1), (5, 7)])
def test_it_equals_the_definition(order: int, kernel: Callable[..., Any], height: int, width: int) -> None:
    picture = RANDOM.rand(5, 7, 2)
    np.testing.assert_allclose(
        resize(picture, height, width, order), by_loops(picture, height, width, kernel), atol=1e-13
    )


def test_order_2_is_the_parabola_through_the_nearest_three() -> None:
    line = np.array([0.0, 1, 4, 9, 16])[:, None]  # a parabola is reproduced inside
    places = (np.arange(7) + 0.5) * 5 / 7 - 0.5
    np.testing.assert_allclose(resize(line, 7, 1, 2)[1:-1, 0], places[1:-1] ** 2, atol=1e-12)


def test_order_0_takes_the_nearest_with_halves_away_from_zero() -> None:
    line = np.arange(6.0)[:, None]
    assert resize(line, 3, 1, 0)[:, 0].tolist() == [1, 3, 5]
    assert resize(line, 9, 1, 0)[:, 0].tolist() == [0, 1, 1, 2, 3, 3, 4, 5, 5]


def test_the_size_it_has_changes_nothing() -> None:
    picture = RANDOM.rand(4, 3, 2)
    for order in range(4):
        np.testing.assert_allclose(resize(picture, 4, 3, order), picture, atol=1e-15)


def test_unknown_orders_are_refused() -> None:
    with pytest.raises(ShapeError, match=r"^expected an interpolation order from 0 to 3, got 4"):
        resize(np.zeros((2, 3)), 4, 5, 4)
