"""The three codes of boxes against SSD's formulas, one box at a time."""

import math

import pytest
import torch

from caffe_compat.layers.utility.box_codes import CODES
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
def test_codes(code, oracle) -> None:
    expected = [[oracle(PRIORS[p].numpy(), OFFSETS[n, p].numpy()) for p in range(3)] for n in range(2)]
    assert_close(CODES[code](PRIORS, OFFSETS), torch.tensor(expected, dtype=torch.float64))
