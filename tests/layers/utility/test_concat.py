"""Concat against placing bottoms side by side."""

import numpy as np
import pytest

from caffe_compat.errors import FieldError, ShapeError
from tests.layers.harness import assert_every_field_matters, build, check_layer, random_bottom


def concat(fields: str) -> str:
    return f"name: 'c' type: 'Concat' concat_param {{ {fields} }}"


@pytest.mark.parametrize("fields", ["axis: 2", "axis: -1", "concat_dim: 2"])
def test_joins_along_the_axis(fields: str) -> None:
    bottoms = [random_bottom(2, 3, size, seed=size) for size in (4, 1, 5)]
    check_layer(concat(fields), bottoms, lambda _, *arrays: np.concatenate(arrays, 2))
    assert_every_field_matters(concat(fields), *bottoms)


def test_one_bottom_is_itself() -> None:
    check_layer(concat(""), [random_bottom(2, 3)], lambda _, x: x)


def test_refuses_both_names_of_the_axis() -> None:
    with pytest.raises(FieldError, match=r"^layer 'c' \(Concat\): expected either axis or concat_dim, found both"):
        build(concat("axis: 1 concat_dim: 1"), (2, 3))


def test_refuses_other_sizes_that_differ() -> None:
    with pytest.raises(
        ShapeError, match=r"^layer 'c' \(Concat\): expected bottoms that differ on axis 1 only, got .* 1$"
    ):
        build(concat(""), (2, 3), (4, 3))(random_bottom(2, 3), random_bottom(4, 3))
