"""SPP against plain loops."""

import math

import numpy as np
import pytest

from caffe_compat.errors import FieldError, ShapeError
from tests.layers.harness import Array, assert_every_field_matters, build, check_layer, random_bottom


def level(bottom: Array, bins: int, method: str) -> Array:
    """One level by loops: windows of ceil(size / bins), half of the excess as padding."""
    height, width = bottom.shape[2:]
    kernel = [math.ceil(size / bins) for size in (height, width)]
    pad = [(extent * bins - size + 1) // 2 for extent, size in zip(kernel, (height, width), strict=True)]
    top = np.zeros((*bottom.shape[:2], bins, bins))
    for n, c, y, x in np.ndindex(top.shape):
        start = [y * kernel[0] - pad[0], x * kernel[1] - pad[1]]
        counts = [
            min(at + k, size + p) - at for at, k, size, p in zip(start, kernel, (height, width), pad, strict=True)
        ]
        rows = slice(max(start[0], 0), min(start[0] + kernel[0], height))
        columns = slice(max(start[1], 0), min(start[1] + kernel[1], width))
        window = bottom[n, c, rows, columns]
        top[n, c, y, x] = window.max() if method == "MAX" else window.sum() / (counts[0] * counts[1])
    return top


@pytest.mark.parametrize("method", ["MAX", "AVE"])
def test_joins_the_levels(method: str) -> None:
    def oracle(_: list[Array], bottom: Array) -> Array:
        return np.concatenate([level(bottom, bins, method).reshape(2, -1) for bins in (1, 2, 4)], axis=1)

    check_layer(f"type: 'SPP' spp_param {{ pyramid_height: 3 pool: {method} }}", [random_bottom(2, 3, 6, 7)], oracle)


def test_one_level_keeps_its_shape() -> None:
    layer = check_layer("type: 'SPP' spp_param { pyramid_height: 1 }", [random_bottom(2, 3, 5, 7)])
    assert layer.top_shapes((2, 3, 5, 7)) == [(2, 3, 1, 1)]


def test_every_field_matters() -> None:
    text = "type: 'SPP' spp_param { pyramid_height: 2 pool: AVE engine: CAFFE }"
    assert_every_field_matters(text, random_bottom(2, 3, 5, 7), without_effect=["engine"])


def test_refuses_no_levels() -> None:
    with pytest.raises(FieldError, match=r"^layer 'pyramid' \(SPP\): expected pyramid_height above 0, got \[0\]"):
        build("name: 'pyramid' type: 'SPP' spp_param { }", (2, 3, 5, 7))


@pytest.mark.parametrize(
    ("shape", "message"),
    [((2, 3, 5), "expected 4 axes"), ((2, 3, 1, 7), "expected an image that 2x2 bins cover, got 1x7")],
)
def test_refuses_bottoms(shape: tuple[int, ...], message: str) -> None:
    with pytest.raises(ShapeError, match=rf"^layer 'pyramid' \(SPP\): {message}"):
        build("name: 'pyramid' type: 'SPP' spp_param { pyramid_height: 3 }", shape).top_shapes(shape)
