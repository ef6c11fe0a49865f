"""HingeLoss against plain loops."""

import numpy as np
import pytest
import torch

from tests.layers.harness import Array, assert_every_field_matters, build, check_layer, gradient, random_bottom

L2 = "type: 'HingeLoss' hinge_loss_param { norm: L2 }"
LABELS = torch.tensor([2.0, 0, 5, 3], dtype=torch.float64)


def oracle(power: int, scores: Array, labels: Array) -> Array:
    loss = 0.0
    for row, label in zip(scores.reshape(len(scores), -1), labels, strict=True):
        for index, score in enumerate(row):
            loss += max(0, 1 - score if index == label else 1 + score) ** power
    return np.array(loss / len(scores))


@pytest.mark.parametrize(("text", "power"), [("type: 'HingeLoss'", 1), (L2, 2)])
def test_one_against_all(text: str, power: int) -> None:
    check_layer(text, [random_bottom(4, 3, 2), LABELS], lambda _, *arrays: oracle(power, *arrays))


def test_norm_matters() -> None:
    assert_every_field_matters(L2, random_bottom(4, 6), LABELS)


def test_gradient_at_the_kink_is_zero() -> None:
    scores = torch.tensor([[1.0, -1.0, 0.0]], requires_grad=True)
    build("type: 'HingeLoss'", scores, (1,))(scores, torch.zeros(1)).backward()
    assert gradient(scores).tolist() == [[0, 0, 1]]
