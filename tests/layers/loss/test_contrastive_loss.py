"""ContrastiveLoss against plain loops, and its own backward."""

import math

import numpy as np
import pytest
import torch

from caffe_compat.errors import ShapeError
from tests.layers.harness import (
    Array,
    assert_close,
    assert_every_field_matters,
    build,
    check_gradients,
    check_layer,
    gradient,
    random_bottom,
)

TEXT = "name: 'c' type: 'ContrastiveLoss' contrastive_loss_param { margin: 2.5 }"
LEGACY = TEXT.replace("margin", "legacy_version: true margin")
SIMILAR = torch.tensor([1.0, 0, 0, 2, 0], dtype=torch.float64)


def oracle(legacy: bool, a: Array, b: Array, similar: Array) -> Array:
    loss = 0.0
    for n in range(len(a)):
        squared = sum((p - q) ** 2 for p, q in zip(a[n], b[n], strict=True))
        apart = max(2.5 - squared, 0) if legacy else max(2.5 - math.sqrt(squared), 0) ** 2
        loss += squared if similar[n] else apart
    return np.array(loss / len(a) / 2)


@pytest.mark.parametrize("legacy", [True, False])
def test_pulls_similar_pairs_together_and_others_apart(legacy: bool) -> None:
    text = LEGACY if legacy else TEXT
    bottoms = [random_bottom(5, 3), random_bottom(5, 3, seed=1) / 2, SIMILAR]
    check_layer(text, bottoms, lambda _, *arrays: oracle(legacy, *arrays), gradients=legacy)
    assert_every_field_matters(text, *bottoms)


def test_axes_of_size_1_may_follow_the_channels_of_either_bottom() -> None:
    a, b = random_bottom(5, 3, 1, 1), random_bottom(5, 3, seed=1)
    loss = build(TEXT, a, b, SIMILAR)(a, b, SIMILAR)
    assert_close(loss, torch.from_numpy(oracle(False, a[..., 0, 0].numpy(), b.numpy(), SIMILAR.numpy())))


def test_backward_divides_by_the_distance_and_a_little() -> None:
    a, b = random_bottom(1, 3).requires_grad_(), random_bottom(1, 3, seed=1)
    build(TEXT, a, b, SIMILAR[1:2])(a, b, SIMILAR[1:2]).backward()
    difference = (a - b).detach()
    distance = difference.norm()
    assert_close(gradient(a), -(2.5 - distance) / (distance + 1e-4) * difference)


def test_equal_pairs_that_should_differ_have_gradient_zero() -> None:
    a = random_bottom(1, 3).requires_grad_()
    build(TEXT, a, a, SIMILAR[1:2])(a, a.detach(), SIMILAR[1:2]).backward()
    assert gradient(a).tolist() == [[0, 0, 0]]


def test_gradients_of_similar_pairs() -> None:
    check_gradients(build(TEXT, (2, 3), (2, 3), (2,)), random_bottom(2, 3), random_bottom(2, 3, seed=1), torch.ones(2))


def test_refuses_bottoms_that_do_not_fit() -> None:
    layer = build(TEXT, (5, 3), (5, 3), (5,))
    with pytest.raises(ShapeError, match=r"^layer 'c' \(ContrastiveLoss\): expected two bottoms \(N, C\) of one shape"):
        layer(random_bottom(5, 3), random_bottom(5, 4), SIMILAR)
    with pytest.raises(ShapeError, match=r"^layer 'c' \(ContrastiveLoss\): expected two bottoms \(N, C\) of one shape"):
        layer(random_bottom(5, 3, 2), random_bottom(5, 3, 2), SIMILAR)
    with pytest.raises(ShapeError, match=r"^layer 'c' \(ContrastiveLoss\): expected 5 labels \(one a pair\), got 4"):
        layer(random_bottom(5, 3), random_bottom(5, 3), SIMILAR[:4])
