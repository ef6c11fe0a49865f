"""ImResize against the loops of OpenPose's first Caffe."""

from collections.abc import Callable

import numpy as np
import pytest

from caffe_compat.errors import FieldError, ShapeError
from caffe_compat.layers.vision.imresize import cubic_weights
from tests.layers.harness import Array, assert_every_field_matters, build, check_layer, random_bottom


def cubic(v: list[float], d: float) -> float:
    return (
        (-0.5 * v[0] + 1.5 * v[1] - 1.5 * v[2] + 0.5 * v[3]) * d**3
        + (v[0] - 2.5 * v[1] + 2 * v[2] - 0.5 * v[3]) * d**2
        + (-0.5 * v[0] + 0.5 * v[2]) * d
        + v[1]
    )


def neighbours(index: int, size: int, new: int, cut: int) -> tuple[list[int], float]:
    left = size - 2 * cut
    place = (index - (new / left / 2 - 0.5)) * (left / new)
    second = max(int(place + 1e-5), 0)
    third = min(second + 1, left - 1)
    return [i + cut for i in (max(second - 1, 0), second, third, min(third + 1, left - 1))], place - second


def loop_of(height: int, width: int, start: float, gap: float) -> Callable[..., Array]:
    def loop(_: list[Array], bottom: Array) -> Array:
        top = np.zeros((1, bottom.shape[1], height, width))
        for n, (_, c, y, x) in ((n, at) for n in range(len(bottom)) for at in np.ndindex(top.shape)):
            shrunk = 1 - start + n * gap
            rows, dy = neighbours(y, bottom.shape[2], height, int(bottom.shape[2] // 2 * shrunk))
            columns, dx = neighbours(x, bottom.shape[3], width, int(bottom.shape[3] // 2 * shrunk))
            lines = [cubic([bottom[n, c, row, column] for column in columns], dx) for row in rows]
            top[0, c, y, x] += cubic(lines, dy) / len(bottom)
        return top

    return loop


#: Places are found in float32, as in the original, so that shares of the way differ from the loop's by its rounding.
SINGLE = 2e-5


def test_one_image_by_a_factor() -> None:
    text = "type: 'ImResize' imresize_param { factor: 8 }"
    check_layer(text, [random_bottom(1, 2, 3, 4)], loop_of(24, 32, 1, 0.1), tolerance=SINGLE)


def test_images_of_several_scales() -> None:
    text = "type: 'ImResize' imresize_param { factor: 2.5 start_scale: 0.75 scale_gap: 0.25 }"
    check_layer(text, [random_bottom(2, 3, 8, 11)], loop_of(20, 27, 0.75, 0.25), tolerance=SINGLE)


def test_a_given_size_larger_and_smaller() -> None:
    text = "type: 'ImResize' imresize_param { target_spatial_height: 5 target_spatial_width: 13 }"
    check_layer(text, [random_bottom(1, 2, 7, 6)], loop_of(5, 13, 1, 0.1), tolerance=SINGLE)


def test_every_field_matters() -> None:
    fields = "target_spatial_height: 5 target_spatial_width: 13 start_scale: 0.75 scale_gap: 0.25"
    assert_every_field_matters(f"type: 'ImResize' imresize_param {{ {fields} }}", random_bottom(2, 2, 8, 9))
    assert_every_field_matters("type: 'ImResize' imresize_param { factor: 2 }", random_bottom(1, 2, 3, 4))


def test_refuses_what_leaves_nothing() -> None:
    with pytest.raises(FieldError, match=r"^layer 'layer' \(ImResize\): expected numbers in factor, start_scale and"):
        build("type: 'ImResize' imresize_param { factor: 2 start_scale: inf }", (1, 2, 3, 4))
    with pytest.raises(
        FieldError, match=r"^layer 'layer' \(ImResize\): expected a factor and sizes above 0, got -1 and"
    ):
        build("type: 'ImResize' imresize_param { factor: -1 }", (1, 2, 3, 4))
    layer = build("type: 'ImResize' imresize_param { factor: 2 scale_gap: 0.5 }", (1, 2, 8, 8))
    with pytest.raises(
        ShapeError, match=r"expected places left of image 2 after start_scale and scale_gap, .* got \[0, 0"
    ):
        layer.top_shapes((3, 2, 8, 8))
    for scale in ("3e38", "-3e38"):
        beyond = build(
            f"type: 'ImResize' imresize_param {{ factor: 2 start_scale: {scale} scale_gap: {scale} }}", (1, 2, 8, 8)
        )
        with pytest.raises(ShapeError, match=r"expected places left of image 0 "):
            beyond.top_shapes((3, 2, 8, 8))
    larger = build("type: 'ImResize' imresize_param { factor: 2 start_scale: 2 }", (1, 2, 1, 1))
    with pytest.raises(
        ShapeError, match=r"expected places left of image 0 .* start_scale of at most 1; got \[16, 16\]"
    ):
        larger.top_shapes((1, 2, 8, 8))
    with pytest.raises(ShapeError, match=r"expected 4 axes \(num, channels, height, width\), got \[1, 2\]"):
        layer.top_shapes((1, 2))


def test_the_operator_refuses_a_cut_that_leaves_nothing() -> None:
    """Code of a compiler has only the operator's own check."""
    with pytest.raises(ShapeError, match=r"^ImResize: expected 1 to 8 places left of image 1, got 0$"):
        cubic_weights(8, 16, 1, 1.0, 1.0)
