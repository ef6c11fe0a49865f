"""WARPLoss against plain loops that draw the same absent labels."""

import numpy as np
import pytest
import torch

from caffe_compat.errors import ShapeError
from tests.layers.harness import Array, build, check_layer, gradient, random_bottom, run

TEXT = "type: 'WARPLoss'"


def random_targets(*shape: int, seed: int = 5) -> torch.Tensor:
    """1 present, 0 absent, -1 unknown."""
    values = torch.tensor([-1.0, 0, 0, 0, 1], dtype=torch.float64)
    return values[torch.randint(5, shape, generator=torch.Generator().manual_seed(seed))]


def oracle(_: list[Array], scores: Array, targets: Array) -> Array:
    torch.manual_seed(2)  # as the harness runs the layer
    scores, targets = (array.reshape(len(array), -1) for array in (scores, targets))
    present = [(n, c) for n in range(len(targets)) for c in range(targets.shape[1]) if targets[n, c] > 0]
    draws = torch.rand(len(present), targets.shape[1]).numpy()
    loss = 0.0
    for (n, j), order in zip(present, draws, strict=True):
        absent = [k for k in range(targets.shape[1]) if targets[n, k] == 0]
        for trials, k in enumerate(sorted(absent, key=lambda k: order[k]), start=1):
            margin = 1 - scores[n, j] + scores[n, k]
            if margin > 0:
                loss += sum(1 / i for i in range(1, len(absent) // trials + 1)) * margin
                break
    return np.array(loss / len(scores))


@pytest.mark.parametrize("shape", [(4, 7), (3, 5, 1, 1)])
def test_rank_weighted_margins(shape: tuple[int, ...]) -> None:
    check_layer(TEXT, [2 * random_bottom(*shape), random_targets(*shape)], oracle)


def test_unknown_labels_change_nothing() -> None:
    scores, targets = random_bottom(2, 6), random_targets(2, 6)
    targets[:, 3] = -1
    moved = scores.clone()
    moved[:, 3] += 50
    layer = build(TEXT, scores, targets)
    assert torch.equal(run(layer, scores, targets)[0], run(layer, moved, targets)[0])


def test_well_ranked_scores_cost_nothing() -> None:
    targets = torch.tensor([[1.0, 0, 0], [0, 0, 0]], dtype=torch.float64)
    scores = torch.tensor([[3.0, 1, 2], [5, 6, 7]], dtype=torch.float64, requires_grad=True)
    loss = build(TEXT, (2, 3), (2, 3))(scores, targets)
    loss.backward()
    assert loss.item() == 0
    assert gradient(scores).abs().sum() == 0


def test_a_label_ranked_last_weighs_more_than_one_ranked_second() -> None:
    """The expected weight grows with the rank: 31 of 31 violators are found at once, 1 of 31 after 16 draws."""
    targets = torch.zeros(1, 32)
    targets[0, 0] = 1
    low, second = torch.zeros(1, 32), torch.full((1, 32), -9.0)
    low[0, 0], second[0, :2] = 0.0, 0.0
    layer = build(TEXT, (1, 32), (1, 32), dtype=torch.float32)
    costs = [np.mean([layer(scores, targets).item() for _ in range(200)]) for scores in (low, second)]
    assert costs[0] == pytest.approx(sum(1 / i for i in range(1, 32)), rel=1e-5)
    assert costs[1] < costs[0] / 2


def test_targets_must_be_as_many_as_scores() -> None:
    with pytest.raises(ShapeError, match=r"^layer 'layer' \(WARPLoss\): expected prediction and label of the same"):
        build(TEXT, (2, 3), (2, 4))(torch.zeros(2, 3), torch.zeros(2, 4))


def test_scores_need_an_axis_of_images() -> None:
    with pytest.raises(
        ShapeError, match=r"^layer 'layer' \(WARPLoss\): expected scores \(N, C, ...\), got a single number"
    ):
        build(TEXT, (), ()).top_shapes((), ())
