"""LSTMUnit against plain loops."""

import math

import numpy as np
import pytest
import torch

from caffe_compat.errors import ShapeError
from tests.layers.harness import Array, build, check_layer, random_bottom

BOTTOMS = [random_bottom(1, 3, 2), random_bottom(1, 3, 8, seed=1), torch.tensor([[0.0, 1.0, 0.5]]).double()]


def sigmoid(value: float) -> float:
    return 1 / (1 + math.exp(-value))


def test_one_step() -> None:
    def oracle(_: list[Array], cell: Array, sums: Array, continues: Array) -> tuple[Array, Array]:
        cells, hidden = np.empty_like(cell), np.empty_like(cell)
        for n, d in np.ndindex(3, 2):
            enters, forgets, leaves, candidate = (sums[0, n, 2 * gate + d] for gate in range(4))
            kept = continues[0, n] * sigmoid(forgets) * cell[0, n, d]
            cells[0, n, d] = kept + sigmoid(enters) * math.tanh(candidate)
            hidden[0, n, d] = sigmoid(leaves) * math.tanh(cells[0, n, d])
        return cells, hidden

    check_layer("type: 'LSTMUnit'", BOTTOMS, oracle, tops=2)


@pytest.mark.parametrize(
    "shapes", [[(1, 3, 2), (1, 3, 6), (1, 3)], [(2, 3, 2), (2, 3, 8), (2, 3)], [(3, 2), (3, 8), (3,)]]
)
def test_refuses_other_shapes(shapes: list[tuple[int, ...]]) -> None:
    message = r"^layer 'unit' \(LSTMUnit\): expected bottoms \(1, N, D\), \(1, N, 4 D\) and \(1, N\), got"
    with pytest.raises(ShapeError, match=message):
        build("name: 'unit' type: 'LSTMUnit'", *shapes, tops=2).top_shapes(*shapes)
