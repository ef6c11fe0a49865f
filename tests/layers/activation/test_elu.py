"""ELU against its definition."""

import numpy as np
import torch

from tests.layers.harness import assert_every_field_matters, build, check_layer, gradient, random_bottom

TEXT = "type: 'ELU' elu_param { alpha: 0.75 }"


def test_is_exponential_below_zero() -> None:
    check_layer(TEXT, [random_bottom(2, 3, 5)], lambda _, x: np.where(x > 0, x, 0.75 * (np.exp(x) - 1)))
    assert_every_field_matters(TEXT, random_bottom(2, 3, 5))


def test_gradient_at_zero_is_alpha() -> None:
    bottom = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    build(TEXT, bottom)(bottom).sum().backward()
    assert round(gradient(bottom).item(), 6) == 0.75
