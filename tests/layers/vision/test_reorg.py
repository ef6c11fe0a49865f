"""Reorg against the index arithmetic of Darknet."""

import numpy as np
import pytest

from caffe_compat.errors import FieldError, ShapeError
from tests.layers.harness import Array, assert_every_field_matters, build, check_layer, random_bottom


def moved(values: Array, shape: tuple[int, ...], stride: int, reverse: bool) -> Array:
    _, channels, height, width = values.shape
    given, found = values.ravel(), np.zeros(values.size)
    groups = channels // stride**2
    for n, c, h, w in np.ndindex(values.shape):
        small = w + width * (h + height * (c + channels * n))
        row, column = h * stride + c // groups // stride, w * stride + c // groups % stride
        large = column + width * stride * (row + height * stride * (c % groups + groups * n))
        found[large if reverse else small] = given[small if reverse else large]
    return found.reshape(shape)


def test_to_channels() -> None:
    def loop(_: list[Array], bottom: Array) -> Array:
        return moved(bottom, (2, 32, 3, 5), 2, reverse=False)

    check_layer("type: 'Reorg' reorg_param { stride: 2 }", [random_bottom(2, 8, 6, 10)], loop)


def test_to_places() -> None:
    def loop(_: list[Array], bottom: Array) -> Array:
        return moved(bottom, (2, 2, 9, 15), 3, reverse=True)

    check_layer("type: 'Reorg' reorg_param { stride: 3 reverse: true }", [random_bottom(2, 18, 3, 5)], loop)


def test_every_field_matters() -> None:
    assert_every_field_matters("type: 'Reorg' reorg_param { stride: 2 reverse: true }", random_bottom(2, 8, 4, 6))


def test_refuses_what_does_not_fit() -> None:
    with pytest.raises(FieldError, match=r"^layer 'layer' \(Reorg\): expected stride to be set, got none$"):
        build("type: 'Reorg'", (2, 8, 4, 6))
    with pytest.raises(FieldError, match=r"expected stride above 0, got \[0\]"):
        build("type: 'Reorg' reorg_param { stride: 0 }", (2, 8, 4, 6))
    layer = build("type: 'Reorg' reorg_param { stride: 2 }", (2, 8, 4, 6))
    for shape in ((2, 6, 4, 6), (2, 8, 5, 6), (2, 8, 4, 7)):
        with pytest.raises(
            ShapeError, match=r"expected channels in multiples of 4, and height and width in mult.* of 2"
        ):
            layer.top_shapes(shape)
    with pytest.raises(ShapeError, match=r"expected 4 axes \(num, channels, height, width\), got \[2, 8\]"):
        layer.top_shapes((2, 8))
