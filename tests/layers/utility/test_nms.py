"""Nms against the loops of OpenPose's first Caffe."""

import numpy as np
import pytest

from caffe_compat.errors import FieldError, ShapeError
from tests.layers.harness import Array, assert_every_field_matters, build, check_layer, random_bottom

TEXT = "name: 'n' type: 'Nms' nms_param { threshold: 0.4 max_peaks: 4 num_parts: 3 }"


def loop(_: list[Array], bottom: Array) -> Array:
    height, width = bottom.shape[2:]
    numbers, top = bottom.ravel(), np.zeros((len(bottom), 3, 5, 3))
    for n, c in np.ndindex(len(bottom), 3):
        first = (n * 3 + c) * height * width  # of num_parts maps per image, even where the bottom has more
        for y, x in np.ndindex(height, width):
            at = first + y * width + x
            if not (0 < y < height - 1 and 0 < x < width - 1) or numbers[at] <= 0.4:
                continue
            if any(numbers[at] <= numbers[at + dy * width + dx] for dy in (-1, 0, 1) for dx in (-1, 0, 1) if dy or dx):
                continue
            top[n, c, 0, 0] += 1
            if top[n, c, 0, 0] <= 4:
                top[n, c, int(top[n, c, 0, 0])] = [*mean_place(numbers, first, y, x, width), numbers[at]]
    return top


def mean_place(numbers: Array, first: int, y: int, x: int, width: int) -> list[float]:
    total, sums = 0.0, [0.0, 0.0]
    for row in range(y - 3, y + 4):
        for column in range(x - 3, x + 4):
            place = first + row * width + column
            if 0 < row < width and 0 < column < width and place < len(numbers) and numbers[place] > 0:
                total += numbers[place]
                sums = [sums[0] + column * numbers[place], sums[1] + row * numbers[place]]
    return [one / total for one in sums]


@pytest.mark.parametrize("shape", [(1, 3, 9, 14), (1, 5, 16, 8), (2, 3, 7, 9), (2, 3, 2, 9)])
def test_peaks(shape: tuple[int, ...]) -> None:
    check_layer(TEXT, [random_bottom(*shape)], loop, gradients=False)


def test_every_field_matters() -> None:
    text = TEXT.replace("threshold: 0.4", "num_peak: 7 threshold: 1.5")
    assert_every_field_matters(text, random_bottom(1, 16, 9, 14), without_effect=("num_peak",))


def test_refuses_what_does_not_fit() -> None:
    with pytest.raises(FieldError, match=r"^layer 'n' \(Nms\): expected num_parts and max_peaks above 0, got \[3, 0\]"):
        build(TEXT.replace("max_peaks: 4", "max_peaks: 0"), (1, 3, 9, 14))
    layer = build(TEXT, (1, 3, 9, 14))
    with pytest.raises(ShapeError, match=r"expected 4 axes and at least 3 channels, got \[1, 2, 9, 14\]"):
        layer.top_shapes((1, 2, 9, 14))
