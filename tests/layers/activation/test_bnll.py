"""BNLL against log(1 + exp(x))."""

import numpy as np
import torch

from tests.layers.harness import assert_close, build, check_layer, random_bottom


def test_is_the_binomial_normal_log_likelihood() -> None:
    check_layer("type: 'BNLL'", [3 * random_bottom(2, 3, 5)], lambda _, x: np.log(1 + np.exp(x)))


def test_is_exact_for_large_values() -> None:
    bottom = torch.tensor([-90.0, 25.0, 1000.0], dtype=torch.float64)
    expected = [np.exp(-90.0), 25 + np.exp(-25.0), 1000.0]
    assert_close(build("type: 'BNLL'", bottom)(bottom), torch.tensor(expected, dtype=torch.float64), 1e-14)
