"""MaskResize against the loops of MNC."""

import math
from collections.abc import Callable

import numpy as np
import pytest

from caffe_compat.errors import FieldError, ShapeError
from tests.layers.harness import Array, assert_every_field_matters, build, check_layer, random_bottom

TEXT = "name: 'm' type: 'MaskResize' mask_resize_param {{ output_height: {} output_width: {} }}"


def between(plane: Array, y: float, x: float) -> float:
    height, width = plane.shape
    if y > height - 0.5 or x > width - 0.5:
        return 0.0
    y, x = min(y, height - 1), min(x, width - 1)
    low_y, low_x = math.floor(y), math.floor(x)
    high_y, high_x = min(low_y + 1, height - 1), min(low_x + 1, width - 1)
    upper = plane[low_y, low_x] * (1 - x + low_x) + plane[low_y, high_x] * (x - low_x)
    lower = plane[high_y, low_x] * (1 - x + low_x) + plane[high_y, high_x] * (x - low_x)
    return float(upper * (1 - y + low_y) + lower * (y - low_y))


def loop_of(height: int, width: int) -> Callable[..., Array]:
    def loop(_: list[Array], bottom: Array) -> Array:
        top = np.zeros((*bottom.shape[:2], height, width))
        for n, c, y, x in np.ndindex(top.shape):
            place = (y * (bottom.shape[2] / height), x * (bottom.shape[3] / width))
            top[n, c, y, x] = between(bottom[n, c], *place)
        return top

    return loop


@pytest.mark.parametrize(("height", "width"), [(3, 4), (9, 5), (5, 21), (1, 1)])
def test_sizes(height: int, width: int) -> None:
    check_layer(TEXT.format(height, width), [random_bottom(2, 3, 5, 7)], loop_of(height, width))


def test_factors_go_before_sizes() -> None:
    text = TEXT.format(1, 4).replace(" }", " factor_height: 0.5 }")
    check_layer(text, [random_bottom(2, 3, 5, 7)], loop_of(2, 4))
    assert_every_field_matters(
        text.replace(" }", " factor_width: 0.25 }"), random_bottom(2, 3, 5, 8), without_effect=()
    )


def test_refuses_no_places() -> None:
    with pytest.raises(
        FieldError, match=r"^layer 'm' .* expected output_height and output_width above 0, got \[0, 2\]"
    ):
        build(TEXT.format(0, 2), (2, 3, 5, 7))
    layer = build(TEXT.format(1, 1).replace(" }", " factor_height: 0.1 }"), (2, 3, 50, 7))
    with pytest.raises(ShapeError, match=r"expected places left after the factors \(0.1\d*, 0.0\), got \[0, 1\]"):
        layer.top_shapes((2, 3, 5, 7))
    with pytest.raises(ShapeError, match=r"expected 4 axes \(num, channels, height, width\), got \[2, 3\]"):
        layer.top_shapes((2, 3))
