"""Permute against NumPy's transpose."""

import pytest

from caffe_compat.errors import FieldError
from tests.layers.harness import assert_every_field_matters, build, check_layer, random_bottom


def permute(order: list[int]) -> str:
    return f"name: 'p' type: 'Permute' permute_param {{ order: {order} }}"


@pytest.mark.parametrize(("order", "axes"), [([0, 2, 3, 1], (0, 2, 3, 1)), ([3, 1], (3, 1, 0, 2)), ([], (0, 1, 2, 3))])
def test_reorders_axes(order: list[int], axes: tuple[int, ...]) -> None:
    check_layer(permute(order), [random_bottom(2, 3, 4, 5)], lambda _, x: x.transpose(axes))


def test_order_matters() -> None:
    assert_every_field_matters(permute([0, 2, 1]), random_bottom(2, 3, 4))


def test_refuses_axes_twice_and_axes_beyond_the_bottom() -> None:
    with pytest.raises(FieldError, match=r"^layer 'p' \(Permute\): expected every axis once in order, got \[1, 1\]"):
        build(permute([1, 1]), (2, 3))
    with pytest.raises(FieldError, match=r"^layer 'p' \(Permute\): expected axes below 2 in order, got \[0, 2\]"):
        build(permute([0, 2]), (2, 3))(random_bottom(2, 3))
