"""TanH against its definition."""

import numpy as np

from tests.layers.harness import assert_every_field_matters, check_layer, random_bottom

TEXT = "type: 'TanH' tanh_param { engine: CAFFE }"


def test_is_the_hyperbolic_tangent() -> None:
    check_layer(TEXT, [3 * random_bottom(2, 3, 5)], lambda _, x: (np.exp(2 * x) - 1) / (np.exp(2 * x) + 1))
    assert_every_field_matters(TEXT, random_bottom(2, 3, 5), without_effect=["engine"])
