"""Upsample against plain loops, with masks of a real Pooling and without a mask."""

import numpy as np
import pytest
import torch

from caffe_compat.errors import FieldError, ShapeError
from tests.layers.harness import Array, assert_every_field_matters, build, check_layer, random_bottom, run

POOLED, MASK = run(
    build("type: 'Pooling' pooling_param { kernel_size: 2 stride: 2 }", (2, 3, 4, 6), tops=2), random_bottom(2, 3, 4, 6)
)


@pytest.mark.parametrize(
    ("fields", "size"),
    [
        ("", (4, 6)),
        ("scale: 3", (6, 9)),
        ("scale_h: 2 scale_w: 4", (4, 12)),
        ("upsample_h: 5 upsample_w: 7", (5, 7)),
        ("scale_h: 3 scale_w: 2 pad_out_w: true", (6, 5)),
    ],
)
def test_puts_elements_where_the_mask_says(fields: str, size: tuple[int, int]) -> None:
    def oracle(_: list[Array], bottom: Array, mask: Array) -> Array:
        top = np.zeros((2, 3, size[0] * size[1]))
        for n, c, y, x in np.ndindex(bottom.shape):
            top[n, c, int(mask[n, c, y, x])] = bottom[n, c, y, x]
        return top.reshape(2, 3, *size)

    check_layer(f"type: 'Upsample' upsample_param {{ {fields} }}", [POOLED, MASK], oracle)


@pytest.mark.parametrize(
    ("fields", "scale"), [("scale: 2", (2, 2)), ("scale: 1", (1, 1)), ("scale_h: 2 scale_w: 3", (2, 3))]
)
def test_repeats_pixels_without_a_mask(fields: str, scale: tuple[int, int]) -> None:
    def oracle(_: list[Array], bottom: Array) -> Array:
        top = np.zeros((2, 3, 4 * scale[0], 5 * scale[1]))
        for n, c, y, x in np.ndindex(top.shape):
            top[n, c, y, x] = bottom[n, c, y // scale[0], x // scale[1]]
        return top

    check_layer(f"type: 'Upsample' upsample_param {{ {fields} }}", [random_bottom(2, 3, 4, 5)], oracle)


def test_every_field_matters_without_a_mask() -> None:
    for fields in ("scale: 3", "scale_h: 2 scale_w: 3"):
        assert_every_field_matters(f"type: 'Upsample' upsample_param {{ {fields} }}", random_bottom(2, 3, 4, 5))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ("", r"expected scale to be set where there is no mask \(bottom 1\), got none"),
        ("scale: 0", r"expected scale above 0, got \[0, 0\]"),
        ("scale: 2 pad_out_w: true", "expected a mask as bottom 1 where pad_out_w is set, got 1 bottom"),
        ("upsample_h: 8 upsample_w: 9", "expected a mask as bottom 1 where upsample_h is set, got 1 bottom"),
    ],
)
def test_refuses_fields_without_a_mask(fields: str, message: str) -> None:
    with pytest.raises(FieldError, match=rf"^layer 'up' \(Upsample\): {message}"):
        build(f"name: 'up' type: 'Upsample' upsample_param {{ {fields} }}", (2, 3, 4, 5))


def test_refuses_other_than_images_without_a_mask() -> None:
    layer = build("name: 'up' type: 'Upsample' upsample_param { scale: 2 }", (2, 3, 4, 5))
    with pytest.raises(ShapeError, match=r"^layer 'up' \(Upsample\): expected 4 axes .* got \[3, 4, 5\]"):
        layer(random_bottom(3, 4, 5))


def test_every_field_matters() -> None:
    for fields in ("upsample_h: 5 upsample_w: 7", "scale: 3", "scale_h: 4 scale_w: 3"):
        assert_every_field_matters(f"type: 'Upsample' upsample_param {{ {fields} }}", POOLED, MASK)
    assert_every_field_matters(
        "type: 'Upsample' upsample_param { pad_out_h: true pad_out_w: true }", POOLED, MASK.clamp(max=14)
    )


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ("scale: 1", r"expected upsampled sizes and scales above 1, got \[1, 1\]"),
        ("upsample_h: 1 upsample_w: 8", r"expected upsampled sizes and scales above 1, got \(1, 8\)"),
        ("upsample_h: 8", "expected both upsample_h and upsample_w, or neither, got one"),
        ("scale: 3 pad_out_h: true", r"expected scale 2 where pad_out_h or pad_out_w is set, got \[3, 3\]"),
        ("scale_h: 3", "expected scale, or both of scale_h and scale_w for 2 spatial axes, got scale_h for 2"),
    ],
)
def test_refuses_fields(fields: str, message: str) -> None:
    with pytest.raises(FieldError, match=rf"^layer 'up' \(Upsample\): {message}"):
        build(f"name: 'up' type: 'Upsample' upsample_param {{ {fields} }}", POOLED, MASK)


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        (MASK[..., :2], "expected 4 axes and a mask of the bottom's shape"),
        (torch.full_like(MASK, 24), "expected mask indices below 4x6, got 24; scale or size must match"),
    ],
)
def test_refuses_masks(mask: torch.Tensor, message: str) -> None:
    with pytest.raises(ShapeError, match=rf"^layer 'up' \(Upsample\): {message}"):
        build("name: 'up' type: 'Upsample'", POOLED, MASK)(POOLED, mask)
