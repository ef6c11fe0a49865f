"""Non-maximum suppression on boxes whose overlaps are known."""

import pytest
import torch

from caffe_compat.layers.utility.suppress_overlaps import overlaps, suppress_overlaps
from tests.layers.harness import assert_close

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
