"""SoftmaxWithLoss against plain loops."""

import numpy as np
import pytest
import torch

from caffe_compat.errors import ShapeError
from tests.layers.harness import (
    Array,
    assert_close,
    assert_every_field_matters,
    build,
    check_layer,
    gradient,
    random_bottom,
    run,
)
from tests.layers.loss.oracles import predictions, softmax

SCORES = random_bottom(3, 4, 5)
LABELS = torch.arange(15.0, dtype=torch.float64).remainder(4).reshape(3, 1, 5)


def total(scores: Array, labels: Array, axis: int, ignore: int | None) -> tuple[float, int]:
    terms = [-np.log(row[label]) for row, label in predictions(softmax(scores, axis), labels, axis, ignore)]
    return sum(terms), len(terms)


def loss(fields: str, axis: int = 1) -> str:
    return f"type: 'SoftmaxWithLoss' softmax_param {{ axis: {axis} engine: CAFFE }} loss_param {{ {fields} }}"


def test_is_the_mean_over_labels_that_count() -> None:
    def oracle(_: list[Array], scores: Array, labels: Array) -> tuple[Array, Array]:
        summed, count = total(scores, labels, 1, 2)
        return np.array(summed / count), softmax(scores, 1)

    check_layer(loss("ignore_label: 2", -2), [SCORES, LABELS], oracle, tops=2)


@pytest.mark.parametrize(
    ("fields", "divisor"),
    [
        ("normalization: FULL", 15),
        ("normalization: BATCH_SIZE", 3),
        ("normalization: NONE", 1),
        ("normalize: false", 3),
        ("normalize: true", 12),
    ],
)
def test_normalizations(fields: str, divisor: int) -> None:
    def oracle(_: list[Array], scores: Array, labels: Array) -> Array:
        return np.array(total(scores, labels, 1, 3)[0] / divisor)

    check_layer(loss(f"ignore_label: 3 {fields}"), [SCORES, LABELS], oracle)


def test_batch_size_is_all_that_comes_before_the_axis() -> None:
    def oracle(_: list[Array], scores: Array, labels: Array) -> Array:
        return np.array(total(scores, labels, 2, None)[0] / 12)

    check_layer(loss("normalization: BATCH_SIZE", 2), [SCORES, LABELS.reshape(3, 5)[:, :4]], oracle)


def test_every_field_matters() -> None:
    text = loss("ignore_label: 2 normalization: BATCH_SIZE", -1)
    assert_every_field_matters(text, random_bottom(3, 4, 4), LABELS[..., :4], without_effect=["engine"])


@pytest.mark.parametrize("shape", [(3,), (3, 1), (3, 1, 1, 1)])
def test_labels_may_have_any_axes(shape: tuple[int, ...]) -> None:
    labels = torch.tensor([2.0, 0, 1], dtype=torch.float64).reshape(shape)

    def oracle(_: list[Array], scores: Array, labels: Array) -> Array:
        return np.array(total(scores, labels, 1, None)[0] / 3)

    check_layer("type: 'SoftmaxWithLoss'", [random_bottom(3, 4, 1, 1), labels], oracle)


def test_backward_does_not_see_the_bound_on_probabilities() -> None:
    scores = torch.tensor([[-200.0, 0.0]], dtype=torch.float64, requires_grad=True)
    value = build("type: 'SoftmaxWithLoss'", scores, (1,))(scores, torch.zeros(1))
    value.backward()
    assert_close(value, torch.tensor(-np.log(float(np.finfo(np.float32).tiny))))
    assert_close(gradient(scores), torch.tensor([[-1.0, 1.0]]))


def test_softmax_top_has_no_gradient() -> None:
    scores = SCORES.clone().requires_grad_()
    value, probability = run(build(loss(""), scores, LABELS, tops=2), scores, LABELS)
    assert value.requires_grad
    assert not probability.requires_grad


def test_all_labels_ignored_give_zero() -> None:
    value = build(loss("ignore_label: 1"), (2, 3), (2,))(random_bottom(2, 3), torch.ones(2))
    assert value == 0


def test_refuses_labels_of_another_batch() -> None:
    layer = build("name: 's' type: 'SoftmaxWithLoss'", (2, 3), (1, 2))
    with pytest.raises(ShapeError, match=r"^layer 's' \(SoftmaxWithLoss\): expected .* the same first dimension"):
        layer(random_bottom(2, 3), torch.zeros(1, 2))
