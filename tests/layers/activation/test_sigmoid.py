"""Sigmoid against 1 / (1 + exp(-x))."""

import numpy as np
import torch

from tests.layers.harness import assert_every_field_matters, build, check_layer, random_bottom, run

TEXT = "type: 'Sigmoid' sigmoid_param { engine: CAFFE }"


def test_is_the_logistic_function() -> None:
    check_layer(TEXT, [3 * random_bottom(2, 3, 5)], lambda _, x: 1 / (1 + np.exp(-x)))
    assert_every_field_matters(TEXT, random_bottom(2, 3, 5), without_effect=["engine"])


def test_is_exactly_0_where_the_hyperbolic_tangent_is_minus_1() -> None:
    """What Caffe's own formula gives in float32; 1 / (1 + exp(20)) is 2e-9."""
    bottom = torch.tensor([-20.0, -15.0, 0.0], requires_grad=True)
    (top,) = run(build(TEXT, bottom, dtype=torch.float32), bottom)
    top.sum().backward()
    assert top[0] == 0
    assert bottom.grad is not None
    assert bottom.grad[0] == 0
    assert 2e-7 < top[1].item() < 4e-7
    assert bottom.grad[2].item() == 0.25
