"""SigmoidCrossEntropyLoss against plain loops."""

import numpy as np
import pytest
import torch

from caffe_compat.errors import ShapeError
from tests.layers.harness import Array, assert_close, assert_every_field_matters, build, check_layer, random_bottom

TARGETS = torch.rand(3, 4, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(3)).round()
IGNORING = "type: 'SigmoidCrossEntropyLoss' loss_param { ignore_label: 1 normalization: VALID }"


def losses(scores: Array, targets: Array) -> Array:
    probability = 1 / (1 + np.exp(-scores))
    costs: Array = -targets * np.log(probability) - (1 - targets) * np.log(1 - probability)
    return costs


def test_divides_by_the_batch_size() -> None:
    check_layer(
        "type: 'SigmoidCrossEntropyLoss'",
        [random_bottom(3, 4, 2), TARGETS * 0.75],
        lambda _, s, t: np.array(losses(s, t).sum() / 3),
    )


def test_may_ignore_and_divide_by_the_valid_ones() -> None:
    def oracle(_: list[Array], scores: Array, targets: Array) -> Array:
        return np.array(losses(scores, targets)[targets != 1].mean())

    check_layer(IGNORING, [random_bottom(3, 4, 2), TARGETS], oracle)
    assert_every_field_matters(IGNORING, random_bottom(3, 4, 2), TARGETS)


@pytest.mark.parametrize(("mode", "divisor"), [("FULL", 24), ("VALID", 24), ("BATCH_SIZE", 3), ("NONE", 1)])
def test_normalizations(mode: str, divisor: int) -> None:
    text = f"type: 'SigmoidCrossEntropyLoss' loss_param {{ normalization: {mode} }}"
    check_layer(text, [random_bottom(3, 4, 2), TARGETS], lambda _, s, t: np.array(losses(s, t).sum() / divisor))


def test_is_stable_and_targets_may_have_other_axes() -> None:
    scores, targets = torch.tensor([[1000.0], [-1000.0]]), torch.tensor([0.0, 1.0])
    assert_close(build("type: 'SigmoidCrossEntropyLoss'", scores, targets)(scores, targets), torch.tensor(1000.0))


def test_refuses_targets_of_another_count() -> None:
    layer = build("name: 's' type: 'SigmoidCrossEntropyLoss'", (3, 4), (3, 2))
    with pytest.raises(ShapeError, match=r"^layer 's' \(SigmoidCrossEntropyLoss\): expected .* of the same count"):
        layer(random_bottom(3, 4), random_bottom(3, 2))
