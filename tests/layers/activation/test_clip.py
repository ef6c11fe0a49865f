"""Clip against a loop of comparisons."""

import math

import numpy as np
import pytest
import torch

from caffe_compat.errors import FieldError
from caffe_compat.proto import caffe_pb2
from tests.layers.harness import build, check_layer, gradient, random_bottom

TEXT = "name: 'c' type: 'Clip' clip_param { min: -0.5 max: 0.75 }"


def test_keeps_values_within_both_ends() -> None:
    check_layer(TEXT, [random_bottom(4, 3, 5)], lambda _, x: np.minimum(np.maximum(x, -0.5), 0.75))


def test_gradient_passes_at_both_ends() -> None:
    bottom = torch.tensor([-0.6, -0.5, 0.0, 0.75, 0.8], dtype=torch.float64, requires_grad=True)
    build(TEXT, bottom)(bottom).sum().backward()
    assert gradient(bottom).tolist() == [0, 1, 1, 1, 0]


@pytest.mark.parametrize("ends", [{}, {"min": 1.0}, {"max": 1.0}])
def test_wants_both_ends(ends: dict[str, float]) -> None:
    clip = caffe_pb2.ClipParameter(**ends)
    parameter = caffe_pb2.LayerParameter(name="c", type="Clip", bottom=["x"], top=["y"], clip_param=clip)
    with pytest.raises(FieldError, match=r"^layer 'c' \(Clip\): expected clip_param with min and max"):
        build(parameter, (2, 3))


def test_a_nan_becomes_the_least_value_without_a_gradient() -> None:
    bottom = torch.tensor([math.nan, -math.inf, 0.25, math.inf], dtype=torch.float64, requires_grad=True)
    top = build(TEXT, bottom)(bottom)
    top.sum().backward()
    assert top.tolist() == [-0.5, -0.5, 0.25, 0.75]
    assert bottom.grad is not None
    assert bottom.grad.tolist() == [0, 0, 1, 0]
