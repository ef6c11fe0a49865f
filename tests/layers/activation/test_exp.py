"""Exp against base ** (shift + scale x)."""

import math

import pytest

from caffe_compat.errors import FieldError
from tests.layers.harness import assert_every_field_matters, build, check_layer, random_bottom

TEXT = "type: 'Exp' exp_param { base: 3 scale: 0.5 shift: -0.25 }"


def test_has_base_scale_and_shift() -> None:
    check_layer(TEXT, [random_bottom(2, 3, 5)], lambda _, x: 3 ** (0.5 * x - 0.25))
    assert_every_field_matters(TEXT, random_bottom(2, 3, 5))


def test_base_minus_one_is_e() -> None:
    text = "type: 'Exp' exp_param { scale: 0.5 shift: 2 }"
    check_layer(text, [random_bottom(2, 3, 5)], lambda _, x: math.e ** (0.5 * x + 2))


def test_refuses_a_base_without_logarithm() -> None:
    with pytest.raises(FieldError, match=r"^layer 'e' \(Exp\): expected base above 0, or -1 for e, got -2"):
        build("name: 'e' type: 'Exp' exp_param { base: -2 }", (2, 3))
