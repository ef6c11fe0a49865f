"""The codes of boxes against SSD's formulas, and suppression of boxes whose overlaps are known."""

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch

from caffe_compat.layers.utility.boxes import CODES, overlaps, suppress_overlaps
from tests.layers.harness import Array, assert_close, random_bottom

PRIORS = torch.tensor([[0.1, 0.2, 0.5, 0.9], [-0.2, 0.3, 0.4, 0.5], [0.6, 0.1, 0.7, 1.2]], dtype=torch.float64)
OFFSETS = random_bottom(2, 3, 4)


def corner(prior: Array, offset: Array) -> list[float]:
    return [prior[side] + offset[side] for side in range(4)]


def corner_size(prior: Array, offset: Array) -> list[float]:
    width, height = prior[2] - prior[0], prior[3] - prior[1]
    return [prior[side] + offset[side] * (height if side % 2 else width) for side in range(4)]


def center_size(prior: Array, offset: Array) -> list[float]:
    width, height = prior[2] - prior[0], prior[3] - prior[1]
    x, y = offset[0] * width + (prior[0] + prior[2]) / 2, offset[1] * height + (prior[1] + prior[3]) / 2
    half_width, half_height = math.exp(offset[2]) * width / 2, math.exp(offset[3]) * height / 2
    return [x - half_width, y - half_height, x + half_width, y + half_height]


@pytest.mark.parametrize(
    ("code", "oracle"), [("CORNER", corner), ("CORNER_SIZE", corner_size), ("CENTER_SIZE", center_size)]
)
def test_codes(code: str, oracle: Callable[..., Any]) -> None:
    expected = [[oracle(PRIORS[p].numpy(), OFFSETS[n, p].numpy()) for p in range(3)] for n in range(2)]
    assert_close(CODES[code](PRIORS, OFFSETS), torch.tensor(expected, dtype=torch.float64))


#: Ten by ten at 0, moved by 2 (overlap 2/3), by 5 (1/3), far away, and one whose corners are the wrong way round.
BOXES = torch.tensor(
    [[0, 0, 10, 10], [2, 0, 12, 10], [5, 0, 15, 10], [40, 40, 50, 50], [9, 9, 1, 1]], dtype=torch.float64
)


def test_overlaps() -> None:
    assert_close(overlaps(BOXES[0], BOXES), torch.tensor([1, 2 / 3, 1 / 3, 0, 0], dtype=torch.float64))
    assert_close(overlaps(BOXES[4], BOXES), torch.zeros(5, dtype=torch.float64))


@pytest.mark.parametrize(
    ("order", "threshold", "eta", "kept"),
    [
        ([0, 1, 2, 3], 0.5, 1.0, [0, 2, 3]),
        ([1, 0, 2, 3], 0.5, 1.0, [1, 3]),  # 1 overlaps 2 by 7 / 13, too
        ([0, 1, 2, 3], 0.7, 1.0, [0, 1, 2, 3]),
        ([0, 1, 2, 3], 0.7, 0.9, [0, 2, 3]),  # 0.63 when box 1 comes, 0.567 for the rest
        ([3, 4, 0], 0.1, 1.0, [3, 4, 0]),
        ([], 0.5, 1.0, []),
        ([0, 0], 1.0, 1.0, [0, 0]),  # only more than the threshold is too much
    ],
)
def test_keeps_the_first_of_those_that_overlap(order: list[int], threshold: float, eta: float, kept: list[int]) -> None:
    assert suppress_overlaps(BOXES, order, threshold, eta) == kept


def test_the_threshold_shrinks_down_to_a_half_only() -> None:
    # 0.5 is not above a half, so that eta does nothing: 1/3 stays below it.
    assert suppress_overlaps(BOXES, [3, 0, 2], 0.5, 0.1) == [3, 0, 2]
