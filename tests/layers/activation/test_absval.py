"""AbsVal against |x|."""

import numpy as np
import pytest
import torch

from caffe_compat.errors import GraphError
from tests.layers.harness import build, check_layer, gradient, layer_parameter, random_bottom

TEXT = "name: 'a' type: 'AbsVal'"


def test_is_the_absolute_value() -> None:
    check_layer(TEXT, [random_bottom(2, 3, 5)], lambda _, x: np.where(x < 0, -x, x))


def test_gradient_at_zero_is_zero() -> None:
    bottom = torch.tensor([-2.0, 0.0, 3.0], dtype=torch.float64, requires_grad=True)
    build(TEXT, bottom)(bottom).sum().backward()
    assert gradient(bottom).tolist() == [-1.0, 0.0, 1.0]


def test_refuses_to_run_in_place() -> None:
    parameter = layer_parameter(TEXT + " bottom: 'x' top: 'x'")
    with pytest.raises(GraphError, match=r"^layer 'a' \(AbsVal\): AbsVal cannot run in place"):
        build(parameter, (2, 3))
