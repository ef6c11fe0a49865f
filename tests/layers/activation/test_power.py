"""Power against (shift + scale x) ** power, and its constant cases."""

import pytest
import torch

from tests.layers.harness import assert_every_field_matters, build, check_layer, gradient, random_bottom

TEXT = "type: 'Power' power_param { power: 1.5 scale: 0.5 shift: 0.25 }"


def test_has_power_scale_and_shift() -> None:
    bottom = random_bottom(2, 3, 5).abs()
    check_layer(TEXT, [bottom], lambda _, x: (0.25 + 0.5 * x) ** 1.5)
    assert_every_field_matters(TEXT, bottom)


def test_power_one_is_linear() -> None:
    text = "type: 'Power' power_param { scale: -2 shift: 3 }"
    check_layer(text, [random_bottom(2, 3, 5)], lambda _, x: 3 - 2 * x)


@pytest.mark.parametrize(("fields", "value"), [("power: 0 shift: 5", 1.0), ("scale: 0 power: 2 shift: 3", 9.0)])
def test_constants_have_gradient_zero(fields: str, value: float) -> None:
    bottom = torch.tensor([-2.0, 0.0, float("inf")], dtype=torch.float64, requires_grad=True)
    top = build(f"type: 'Power' power_param {{ {fields} }}", bottom)(bottom)
    top.sum().backward()
    assert top.tolist() == [value] * 3
    assert gradient(bottom).tolist() == [0, 0, 0]
