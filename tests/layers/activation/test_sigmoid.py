"""Sigmoid against 1 / (1 + exp(-x))."""

import numpy as np

from tests.layers.harness import assert_every_field_matters, check_layer, random_bottom

TEXT = "type: 'Sigmoid' sigmoid_param { engine: CAFFE }"


def test_is_the_logistic_function() -> None:
    check_layer(TEXT, [3 * random_bottom(2, 3, 5)], lambda _, x: 1 / (1 + np.exp(-x)))
    assert_every_field_matters(TEXT, random_bottom(2, 3, 5), without_effect=["engine"])
