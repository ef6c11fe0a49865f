"""Eltwise against plain arithmetic, and Caffe's gradients at ties."""

import numpy as np
import pytest
import torch

from caffe_compat.errors import FieldError, ShapeError
from tests.layers.harness import assert_every_field_matters, build, check_layer, gradient, random_bottom

BOTTOMS = [random_bottom(2, 3, 4, seed=seed) for seed in range(3)]


def eltwise(fields: str = "") -> str:
    return f"name: 'e' type: 'Eltwise' eltwise_param {{ {fields} }}"


def test_product() -> None:
    text = eltwise("operation: PROD stable_prod_grad: false")
    check_layer(text, BOTTOMS, lambda _, a, b, c: a * b * c)
    assert_every_field_matters(text, *BOTTOMS, without_effect=["stable_prod_grad"])


def test_product_of_zeros_has_a_gradient() -> None:
    a, b = torch.zeros(1, requires_grad=True), torch.full((1,), 3.0, requires_grad=True)
    build(eltwise("operation: PROD"), a, b)(a, b).backward()
    assert (gradient(a).item(), gradient(b).item()) == (3, 0)


def test_sum() -> None:
    check_layer(eltwise(), BOTTOMS, lambda _, a, b, c: a + b + c)
    text = eltwise("coeff: 0.5 coeff: -2 coeff: 0")
    check_layer(text, BOTTOMS, lambda _, a, b, c: 0.5 * a - 2 * b)
    assert_every_field_matters(text, *BOTTOMS)


def test_maximum() -> None:
    text = eltwise("operation: MAX")
    check_layer(text, BOTTOMS, lambda _, a, b, c: np.maximum(np.maximum(a, b), c))
    assert_every_field_matters(text, *BOTTOMS)


def test_maximum_has_no_use_for_coefficients() -> None:
    bottoms = [random_bottom(2, 3, seed=seed) for seed in (1, 2)]
    top = build("type: 'Eltwise' eltwise_param { operation: MAX coeff: 2 coeff: 3 }", *bottoms)(*bottoms)
    assert torch.equal(top, torch.maximum(*bottoms))


def test_gradient_of_a_tie_goes_to_the_second_of_the_first_two() -> None:
    bottoms = [torch.ones(1, requires_grad=True) for _ in range(3)]
    build(eltwise("operation: MAX"), *bottoms)(*bottoms).backward()
    assert [gradient(bottom).item() for bottom in bottoms] == [0, 1, 0]


def test_refuses_coefficients_that_do_not_fit() -> None:
    with pytest.raises(FieldError, match=r"^layer 'e' \(Eltwise\): expected one coeff a bottom \(3\), got 2"):
        build(eltwise("coeff: 1 coeff: 1"), *BOTTOMS)
    with pytest.raises(FieldError, match=r"^layer 'e' \(Eltwise\): eltwise_param.coeff is set but Eltwise does not"):
        build(eltwise("operation: PROD coeff: 1 coeff: 1 coeff: 1"), *BOTTOMS)


def test_refuses_shapes_that_differ() -> None:
    with pytest.raises(
        ShapeError, match=r"^layer 'e' \(Eltwise\): expected bottoms of one shape, .*\(2, 1\) for bottom 1"
    ):
        build(eltwise(), (2, 3), (2, 1))(random_bottom(2, 3), random_bottom(2, 1))
