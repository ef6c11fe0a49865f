"""PriorBox against the loops of SSD."""

import math

import numpy as np
import pytest

from caffe_compat.errors import FieldError, ShapeError
from tests.layers.harness import Array, assert_every_field_matters, build, check_layer, random_bottom

FEATURES, IMAGE = random_bottom(2, 3, 4, 5), random_bottom(2, 3, 40, 56)


def boxes(step: tuple[float, float], image: tuple[float, float], sizes: list[tuple[float, float]]) -> Array:
    """Corners of `sizes` (width, height) around the middle of every place of 4 x 5; lengths as (y, x)."""
    top = []
    for row, column in np.ndindex(4, 5):
        y, x = (row + 0.5) * step[0], (column + 0.5) * step[1]
        for width, height in sizes:
            top += [(x - width / 2) / image[1], (y - height / 2) / image[0]]
            top += [(x + width / 2) / image[1], (y + height / 2) / image[0]]
    return np.array(top)


def of_ratio(size: float, ratio: float) -> tuple[float, float]:
    return size * math.sqrt(ratio), size / math.sqrt(ratio)


@pytest.mark.parametrize(
    ("fields", "step", "image", "sizes"),
    [
        ("min_size: 9", (10, 11.2), (40, 56), [(9, 9)]),
        # Sizes lose what is behind their point, also within the root.
        ("min_size: 9.9 max_size: 16.9", (10, 11.2), (40, 56), [(9, 9), (12, 12)]),
        (
            "min_size: 4 min_size: 6 max_size: 9 max_size: 24 aspect_ratio: 4",
            (10, 11.2),
            (40, 56),
            [(4, 4), (6, 6), (8, 2), (2, 8), (6, 6), (12, 12), (12, 3), (3, 12)],
        ),
        ("min_size: 6 aspect_ratio: 4 aspect_ratio: 4 flip: false", (10, 11.2), (40, 56), [(6, 6), (12, 3)]),
        (
            "min_size: 5 aspect_ratio: 2 aspect_ratio: 0.5 aspect_ratio: 1",
            (10, 11.2),
            (40, 56),
            [(5, 5), of_ratio(5, 2), of_ratio(5, 0.5)],
        ),
        (  # SSTD's: 0.5 and 2 are two ratios, each turned, too, and only the larger size loses what is behind its point
            "min_size: 4.5 max_size: 8.9 aspect_ratio: 0.5 aspect_ratio: 2 aspect_ratio: 1 aspect_ratio: 2 "
            "width_by_ratio: true",
            (10, 11.2),
            (40, 56),
            [(4.5, 4.5), (6, 6), (2.25, 4.5), (9, 4.5), (4.5, 2.25), (4.5, 9)],
        ),
        ("min_size: 6 aspect_ratio: 3 flip: false width_by_ratio: true", (10, 11.2), (40, 56), [(6, 6), (18, 6)]),
        ("min_size: 9 step: 8", (8, 8), (40, 56), [(9, 9)]),
        ("min_size: 9 step_h: 7 step_w: 9", (7, 9), (40, 56), [(9, 9)]),
        ("min_size: 9 img_size: 60", (15, 12), (60, 60), [(9, 9)]),
        ("min_size: 9 img_h: 60 img_w: 80", (15, 16), (60, 80), [(9, 9)]),
    ],
)
def test_boxes(
    fields: str, step: tuple[float, float], image: tuple[float, float], sizes: list[tuple[float, float]]
) -> None:
    def oracle(_: list[Array], *_bottoms: Array) -> Array:
        found = boxes(step, image, sizes)
        return np.stack([found, np.full_like(found, 0.1)])[None]

    check_layer(f"type: 'PriorBox' prior_box_param {{ {fields} }}", [FEATURES, IMAGE], oracle, gradients=False)


def test_variances_clipping_and_offset() -> None:
    def oracle(_: list[Array], *_bottoms: Array) -> Array:
        shifted = boxes((10, 11.2), (40, 56), [(19, 19)]) - np.tile([0.25 * 11.2 / 56, 0.25 * 10 / 40], 40)
        return np.stack([shifted.clip(0, 1), np.tile([0.1, 0.2, 0.3, 0.4], 20)])[None]

    fields = "min_size: 19 clip: true offset: 0.25 variance: [0.1, 0.2, 0.3, 0.4]"
    layer = f"type: 'PriorBox' prior_box_param {{ {fields} }}"
    check_layer(layer, [FEATURES, IMAGE], oracle, gradients=False, tolerance=1e-7)  # variances are float32 in the file


def test_every_field_matters() -> None:
    for fields in (
        "min_size: 9 max_size: 12 aspect_ratio: 3 flip: false clip: true variance: 0.3 offset: 0.25",
        "min_size: 9 img_size: 60 step: 8",
        "min_size: 9 img_h: 60 img_w: 80 step_h: 7 step_w: 9",
    ):
        assert_every_field_matters(f"type: 'PriorBox' prior_box_param {{ {fields} }}", FEATURES, IMAGE)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ("", r"expected min_size, above 0, and finite sizes, got \[\]"),
        ("min_size: nan", r"expected a number in prior_box_param.min_size, got nan"),
        ("min_size: inf", r"expected min_size, above 0, and finite sizes, got \[inf\]"),
        ("min_size: 1 aspect_ratio: inf", r"expected aspect_ratio above 0, got inf"),
        ("min_size: 0", r"expected min_size, above 0, and finite sizes, got \[0.0\]"),
        ("min_size: 2 max_size: 2", "expected a max_size above it for every min_size, or none"),
        ("min_size: 2 min_size: 3 max_size: 9", r"expected a max_size above it .* got \[9.0\] for \[2.0, 3.0\]"),
        ("min_size: 2 aspect_ratio: 0", "expected aspect_ratio above 0, got 0"),
        ("min_size: 2 variance: [1, 2]", r"expected 1 or 4 values of variance, above 0, got \[1.0, 2.0\]"),
        ("min_size: 2 variance: -1", "expected 1 or 4 values of variance, above 0"),
        ("min_size: 2 step: 3 step_h: 2 step_w: 2", "expected step, or both of step_h and step_w, got step_h"),
        ("min_size: 2 img_h: 3", "expected img_size, or both of img_h and img_w, got img_h"),
        ("min_size: 2 step: 0", "expected step, or step_h and step_w, above 0, got 0, 0"),
    ],
)
def test_refuses_fields(fields: str, message: str) -> None:
    with pytest.raises(FieldError, match=rf"^layer 'prior' \(PriorBox\): {message}"):
        build(f"name: 'prior' type: 'PriorBox' prior_box_param {{ {fields} }}", FEATURES, IMAGE)


def test_refuses_other_than_images() -> None:
    layer = build("name: 'prior' type: 'PriorBox' prior_box_param { min_size: 2 }", FEATURES, IMAGE)
    with pytest.raises(ShapeError, match=r"^layer 'prior' \(PriorBox\): expected two bottoms of 4 axes, got \[2, 3\]"):
        layer(random_bottom(2, 3), IMAGE)
