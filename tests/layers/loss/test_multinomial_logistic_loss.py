"""MultinomialLogisticLoss against plain loops."""

import numpy as np
import torch

from tests.layers.harness import Array, assert_close, build, check_layer, gradient, random_bottom

TEXT = "type: 'MultinomialLogisticLoss'"
LABELS = torch.tensor([2.0, 0, 5, 3], dtype=torch.float64)


def oracle(_: list[Array], probabilities: Array, labels: Array) -> Array:
    rows = probabilities.reshape(len(probabilities), -1)
    return np.array(-sum(np.log(row[int(label)]) for row, label in zip(rows, labels, strict=True)) / len(rows))


def test_is_the_mean_negative_logarithm() -> None:
    check_layer(TEXT, [random_bottom(4, 3, 2).softmax(1), LABELS], oracle)


def test_probability_zero_is_bounded_in_value_and_gradient() -> None:
    probabilities = torch.tensor([[0.0, 1.0]], dtype=torch.float64, requires_grad=True)
    loss = build(TEXT, probabilities, (1,))(probabilities, torch.zeros(1))
    loss.backward()
    assert_close(loss, torch.tensor(20 * np.log(10)))
    assert_close(gradient(probabilities) / 1e20, torch.tensor([[-1.0, 0.0]]))
