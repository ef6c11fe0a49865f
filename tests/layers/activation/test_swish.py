"""Swish against x sigmoid(beta x)."""

import numpy as np

from tests.layers.harness import assert_every_field_matters, check_layer, random_bottom

TEXT = "type: 'Swish' swish_param { beta: 1.5 }"


def test_is_x_times_its_sigmoid() -> None:
    check_layer(TEXT, [3 * random_bottom(2, 3, 5)], lambda _, x: x / (1 + np.exp(-1.5 * x)))
    assert_every_field_matters(TEXT, random_bottom(2, 3, 5))
