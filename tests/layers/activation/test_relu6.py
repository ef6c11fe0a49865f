"""ReLU6 against its definition."""

import numpy as np
import torch

from tests.layers.harness import assert_every_field_matters, build, check_layer, gradient, random_bottom

LEAKY = "type: 'ReLU6' relu6_param { negative_slope: 0.3 }"


def test_lies_between_zero_and_six() -> None:
    check_layer("type: 'ReLU6'", [5 * random_bottom(2, 3, 5)], lambda _, x: np.clip(x, 0, 6))


def test_may_leak() -> None:
    bottom = 5 * random_bottom(2, 3, 5)
    check_layer(LEAKY, [bottom], lambda _, x: np.minimum(np.where(x > 0, x, np.float32(0.3) * x), 6))
    assert_every_field_matters(LEAKY, bottom)


def test_gradient_at_both_ends() -> None:
    bottom = torch.tensor([0.0, 3.0, 6.0, 7.0], dtype=torch.float64, requires_grad=True)
    build("type: 'ReLU6'", bottom)(bottom).sum().backward()
    assert gradient(bottom).tolist() == [0, 1, 0, 0]
