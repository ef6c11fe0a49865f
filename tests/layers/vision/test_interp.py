"""Interp against plain loops."""

import numpy as np
import pytest

from caffe_compat.errors import FieldError, ShapeError
from tests.layers.harness import Array, assert_every_field_matters, build, check_layer, random_bottom


def resize(bottom: Array, height: int, width: int) -> Array:
    """Bilinear, corner to corner."""
    top = np.zeros((*bottom.shape[:2], height, width))
    for y, x in np.ndindex(height, width):
        row = y * (bottom.shape[2] - 1) / (height - 1) if height > 1 else 0.0
        column = x * (bottom.shape[3] - 1) / (width - 1) if width > 1 else 0.0
        r, c = int(row), int(column)
        below, right = min(r + 1, bottom.shape[2] - 1), min(c + 1, bottom.shape[3] - 1)
        upper = bottom[:, :, r, c] * (1 - column + c) + bottom[:, :, r, right] * (column - c)
        lower = bottom[:, :, below, c] * (1 - column + c) + bottom[:, :, below, right] * (column - c)
        top[:, :, y, x] = upper * (1 - row + r) + lower * (row - r)
    return top


@pytest.mark.parametrize(
    ("fields", "crop", "size"),
    [
        ("height: 9 width: 4", (0, 0), (9, 4)),
        ("height: 1 width: 3", (0, 0), (1, 3)),
        ("zoom_factor: 3", (0, 0), (13, 16)),
        ("shrink_factor: 2 pad_beg: -1", (1, 0), (2, 3)),
        ("shrink_factor: 2 zoom_factor: 3 pad_end: -1", (0, 1), (4, 7)),
        ("shrink_factor: 2 height: 9 width: 9", (0, 0), (3, 3)),
        ("shrink_factor: 2 zoom_factor: 3 height: 4 width: 2", (0, 0), (4, 2)),
    ],
)
def test_resizes(fields: str, crop: tuple[int, int], size: tuple[int, int]) -> None:
    def oracle(_: list[Array], bottom: Array) -> Array:
        return resize(bottom[:, :, crop[0] : 5 - crop[1], crop[0] : 6 - crop[1]], *size)

    check_layer(f"type: 'Interp' interp_param {{ {fields} }}", [random_bottom(2, 3, 5, 6)], oracle)


def test_takes_the_size_of_a_second_bottom() -> None:
    def oracle(_: list[Array], bottom: Array, like: Array) -> Array:
        return resize(bottom[:, :, 1:, 1:], *like.shape[2:])

    bottoms = [random_bottom(2, 3, 5, 6), random_bottom(1, 4, 7, 9)]
    check_layer("type: 'Interp' interp_param { pad_beg: -1 }", bottoms, oracle)
    assert_every_field_matters("type: 'Interp' interp_param { pad_beg: -1 pad_end: -2 }", *bottoms)


@pytest.mark.parametrize("fields", ["zoom_factor: 2", "height: 7 width: 9", "shrink_factor: 2"])
def test_refuses_two_sizes(fields: str) -> None:
    message = r"^layer 'up' \(Interp\): expected no size or factor where bottom 1 gives the size, got one"
    with pytest.raises(FieldError, match=message):
        build(f"name: 'up' type: 'Interp' interp_param {{ {fields} }}", (2, 3, 5, 6), (2, 3, 7, 9))


def test_refuses_a_second_bottom_without_height_and_width() -> None:
    layer = build("name: 'up' type: 'Interp'", (2, 3, 5, 6), (2, 3, 7, 9))
    with pytest.raises(ShapeError, match=r"^layer 'up' \(Interp\): expected 4 axes in bottom 1, which .* got \[2, 3\]"):
        layer(random_bottom(2, 3, 5, 6), random_bottom(2, 3))


def test_every_field_matters() -> None:
    for fields in ("height: 9 width: 4 pad_beg: -1 pad_end: -2", "shrink_factor: 2 zoom_factor: 3"):
        assert_every_field_matters(f"type: 'Interp' interp_param {{ {fields} }}", random_bottom(2, 3, 5, 6))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ("", "expected shrink_factor, zoom_factor, or height and width, got none"),
        ("height: 3", "expected shrink_factor, zoom_factor, or height and width, got none"),
        ("height: 3 width: 0", r"expected sizes and factors above 0, got \[3, 0\]"),
        ("zoom_factor: -1", r"expected sizes and factors above 0, got \[-1\]"),
        ("zoom_factor: 2 pad_end: 1", r"expected pad_beg and pad_end of 0 or below \(cropping\), got one above"),
    ],
)
def test_refuses_fields(fields: str, message: str) -> None:
    with pytest.raises(FieldError, match=rf"^layer 'up' \(Interp\): {message}"):
        build(f"name: 'up' type: 'Interp' interp_param {{ {fields} }}", (2, 3, 5, 6))


def test_refuses_to_crop_everything() -> None:
    layer = build("name: 'up' type: 'Interp' interp_param { zoom_factor: 2 pad_beg: -5 }", (2, 3, 5, 6))
    with pytest.raises(ShapeError, match=r"^layer 'up' .* expected pixels left after cropping \(5, 0\), got 0x1"):
        layer(random_bottom(2, 3, 5, 6))
