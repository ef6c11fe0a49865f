"""Crop against slices."""

import pytest

from caffe_compat.errors import CaffeError, FieldError, ShapeError
from tests.layers.harness import Array, assert_every_field_matters, build, check_layer, random_bottom

BOTTOMS = [random_bottom(2, 3, 8, 9), random_bottom(2, 2, 5, 4)]


@pytest.mark.parametrize(
    ("fields", "where"),
    [
        ("axis: 2 offset: 1 offset: 3", (slice(None), slice(None), slice(1, 6), slice(3, 7))),
        ("offset: 2", (slice(None), slice(None), slice(2, 7), slice(2, 6))),
        ("axis: -1", (slice(None), slice(None), slice(None), slice(0, 4))),
        ("axis: 1 offset: 1 offset: 0 offset: 2", (slice(None), slice(1, 3), slice(0, 5), slice(2, 6))),
    ],
)
def test_cuts_from_the_axis_on(fields: str, where: tuple[slice, ...]) -> None:
    def oracle(_: list[Array], bottom: Array, _reference: Array) -> Array:
        return bottom[where]

    check_layer(f"type: 'Crop' crop_param {{ {fields} }}", BOTTOMS, oracle)


def test_every_field_matters() -> None:
    assert_every_field_matters("type: 'Crop' crop_param { axis: 3 offset: 1 }", *BOTTOMS)


@pytest.mark.parametrize(
    ("fields", "error", "message"),
    [
        ("offset: 4", ShapeError, "expected room for 5 from offset 4 on axis 2, got 8"),
        ("offset: 1 offset: 1 offset: 1", FieldError, r"expected 0, 1 or 2 offsets \(one an axis\), got 3"),
        ("axis: 4", ShapeError, r"expected axis within \[-4, 4\), got 4"),
    ],
)
def test_refuses(fields: str, error: type[CaffeError], message: str) -> None:
    with pytest.raises(error, match=rf"^layer 'cut' \(Crop\): {message}"):
        build(f"name: 'cut' type: 'Crop' crop_param {{ {fields} }}", *BOTTOMS)(*BOTTOMS)
