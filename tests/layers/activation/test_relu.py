"""ReLU against its definition."""

import numpy as np
import pytest
import torch

from tests.layers.harness import assert_every_field_matters, build, check_layer, gradient, random_bottom

LEAKY = "type: 'ReLU' relu_param { negative_slope: 0.3 engine: CUDNN }"


def test_is_zero_below_zero() -> None:
    check_layer("type: 'ReLU'", [random_bottom(2, 3, 5)], lambda _, x: np.maximum(x, 0))


def test_may_leak() -> None:
    check_layer(LEAKY, [random_bottom(2, 3, 5)], lambda _, x: np.maximum(x, 0) + np.float32(0.3) * np.minimum(x, 0))
    assert_every_field_matters(LEAKY, random_bottom(2, 3, 5), without_effect=["engine"])


@pytest.mark.parametrize(("text", "slope"), [("type: 'ReLU'", 0.0), (LEAKY, 0.3)])
def test_gradient_at_zero_is_the_negative_slope(text: str, slope: float) -> None:
    bottom = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    build(text, bottom)(bottom).sum().backward()
    assert round(gradient(bottom).item(), 6) == slope
