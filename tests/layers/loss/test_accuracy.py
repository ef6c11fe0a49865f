"""Accuracy against counting ranks."""

import numpy as np
import pytest
import torch

from caffe_compat.errors import DataError, FieldError, ShapeError
from tests.layers.harness import Array, assert_every_field_matters, build, check_layer, random_bottom, run
from tests.layers.loss.oracles import predictions

TEXT = "name: 'a' type: 'Accuracy' accuracy_param { top_k: 2 axis: -1 ignore_label: 1 }"


def accuracy(scores: Array, labels: Array, axis: int, top_k: int, ignore: int | None) -> tuple[Array, Array]:
    right, seen = np.zeros(scores.shape[axis]), np.zeros(scores.shape[axis])
    for row, label in predictions(scores, labels, axis, ignore):
        rivals = sum(row[other] >= row[label] for other in range(len(row)) if other != label)
        seen[label] += 1
        right[label] += rivals < top_k
    return np.array(right.sum() / max(1, seen.sum())), right / np.maximum(seen, 1)


def test_counts_labels_among_the_first_k() -> None:
    scores, labels = random_bottom(3, 5, 4), torch.arange(15.0, dtype=torch.float64).remainder(4).reshape(3, 5)
    check_layer(TEXT, [scores, labels], lambda _, s, t: accuracy(s, t, 2, 2, 1), tops=2, gradients=False)
    assert_every_field_matters(TEXT, scores, labels)


@pytest.mark.parametrize("shape", [(4,), (4, 1), (4, 1, 1, 1)])
def test_labels_may_have_any_axes(shape: tuple[int, ...]) -> None:
    labels = torch.tensor([2.0, 0, 1, 2], dtype=torch.float64).reshape(shape)
    layer = check_layer(
        "type: 'Accuracy'",
        [random_bottom(4, 3), labels],
        lambda _, s, t: accuracy(s, t, 1, 1, None)[0],
        gradients=False,
    )
    assert layer.no_gradient_to is True


def test_a_tie_counts_against_the_label() -> None:
    scores = torch.tensor([[1.0, 1.0, 0.0], [0.0, 1.0, 0.0]])
    labels = torch.tensor([1.0, 1.0])
    assert build("type: 'Accuracy'", scores, labels)(scores, labels) == 0.5


def test_no_labels_give_zero() -> None:
    scores, labels = torch.ones(2, 3), torch.ones(2)
    whole, each = run(build(TEXT, scores, labels, tops=2), scores, labels)
    assert whole == 0
    assert each.tolist() == [0, 0, 0]


def test_refuses_impossible_ranks_labels_and_counts() -> None:
    scores, labels = torch.zeros(2, 3), torch.tensor([0.0, 3.0])
    layer = build("name: 'a' type: 'Accuracy' accuracy_param { top_k: 4 }", scores, labels)
    with pytest.raises(FieldError, match=r"^layer 'a' \(Accuracy\): expected top_k of at most 3 .*, got 4"):
        layer(scores, labels)
    layer = build("name: 'a' type: 'Accuracy'", scores, labels)
    with pytest.raises(DataError, match=r"^layer 'a' \(Accuracy\): expected labels from 0 to 2, got 3"):
        layer(scores, labels)
    with pytest.raises(DataError, match=r"^layer 'a' \(Accuracy\): expected labels from 0 to 2, got -1"):
        layer(scores, labels - 1)
    with pytest.raises(ShapeError, match=r"^layer 'a' \(Accuracy\): expected 2 labels .*, got 4"):
        layer(scores, labels.repeat(2))
