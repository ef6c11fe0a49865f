"""Threshold against a comparison."""

import torch

from tests.layers.harness import assert_every_field_matters, build, check_layer, random_bottom

TEXT = "type: 'Threshold' threshold_param { threshold: 0.25 }"


def test_is_one_above_the_threshold() -> None:
    layer = check_layer(TEXT, [random_bottom(4, 3, 5)], lambda _, x: 1.0 * (x > 0.25), gradients=False)
    assert layer.no_gradient_to is True
    assert_every_field_matters(TEXT, random_bottom(4, 3, 5))


def test_the_threshold_itself_gives_zero() -> None:
    bottom = torch.tensor([0.25], dtype=torch.float64)
    assert build(TEXT, bottom)(bottom).tolist() == [0.0]
