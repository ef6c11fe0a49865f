"""Slice against NumPy's."""

import numpy as np
import pytest

from caffe_compat.errors import FieldError, ShapeError
from tests.layers.harness import assert_every_field_matters, build, check_layer, random_bottom


def slices(fields: str) -> str:
    return f"name: 's' type: 'Slice' slice_param {{ {fields} }}"


@pytest.mark.parametrize("fields", ["axis: 2", "axis: -1", "slice_dim: 2"])
def test_cuts_before_every_point(fields: str) -> None:
    text = slices(f"{fields} slice_point: 1 slice_point: 4")
    check_layer(text, [random_bottom(2, 3, 6)], lambda _, x: tuple(np.split(x, [1, 4], 2)), tops=3)
    assert_every_field_matters(text, random_bottom(2, 5, 6), tops=3)


def test_without_points_parts_are_equal() -> None:
    check_layer(slices("axis: 0"), [random_bottom(6, 2)], lambda _, x: tuple(np.split(x, 3)), tops=3)
    check_layer(slices(""), [random_bottom(2, 3)], lambda _, x: x)


def test_refuses_cuts_that_do_not_fit() -> None:
    with pytest.raises(FieldError, match=r"^layer 's' \(Slice\): expected 1 values of slice_point .*, got 2"):
        build(slices("slice_point: 1 slice_point: 2"), (2, 3), tops=2)
    with pytest.raises(
        FieldError, match=r"^layer 's' \(Slice\): expected slice_point rising within \(0, 3\), got \[3\]"
    ):
        build(slices("slice_point: 3"), (2, 3), tops=2)(random_bottom(2, 3))
    with pytest.raises(ShapeError, match=r"^layer 's' \(Slice\): expected a size that 2 tops divide, .*; got 3"):
        build(slices(""), (2, 3), tops=2)(random_bottom(2, 3))
    with pytest.raises(FieldError, match=r"^layer 's' \(Slice\): expected either axis or slice_dim, found both"):
        build(slices("axis: 1 slice_dim: 1"), (2, 3))
