"""Log against log(shift + scale x) / log(base)."""

import numpy as np
import pytest

from caffe_compat.errors import FieldError
from tests.layers.harness import assert_every_field_matters, build, check_layer, random_bottom

TEXT = "type: 'Log' log_param { base: 3 scale: 0.5 shift: 0.25 }"


def test_has_base_scale_and_shift() -> None:
    bottom = random_bottom(2, 3, 5).abs() + 0.1
    check_layer(TEXT, [bottom], lambda _, x: np.log(0.25 + 0.5 * x) / np.log(3))
    assert_every_field_matters(TEXT, bottom)


def test_base_minus_one_is_e() -> None:
    check_layer("type: 'Log'", [random_bottom(2, 3, 5).abs() + 0.1], lambda _, x: np.log(x))


@pytest.mark.parametrize(("base", "message"), [(0, "expected base above 0"), (1, "expected a base other than 1")])
def test_refuses_a_base_without_logarithm(base: int, message: str) -> None:
    with pytest.raises(FieldError, match=rf"^layer 'l' \(Log\): {message}"):
        build(f"name: 'l' type: 'Log' log_param {{ base: {base} }}", (2, 3))
