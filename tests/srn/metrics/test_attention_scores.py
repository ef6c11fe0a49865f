"""Against loops over single pixels: boxes have whole pixels there, so that a pixel lies in a box or does not."""

import numpy as np
import pytest

from caffe_compat.errors import DataError
from caffe_compat.srn.metrics.attention_scores import (
    AttentionScore,
    Box,
    covered_shares,
    mean_scores,
    score_attention,
    score_labels,
)


def covered_by_pixel(boxes, picture, grid):
    """Count the pixels of each cell that lie in a box; the picture's sides are multiples of the grid's."""
    shares = np.zeros(grid)
    per_cell = (picture[0] // grid[0], picture[1] // grid[1])
    for y in range(picture[0]):
        for x in range(picture[1]):
            if any(left <= x < left + width and top <= y < top + height for left, top, width, height in boxes):
                shares[y // per_cell[0], x // per_cell[1]] += 1
    return shares / (per_cell[0] * per_cell[1])


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(("picture", "grid"), [((28, 42), (7, 14)), ((30, 15), (5, 3)), ((6, 6), (6, 6))])
def test_shares_equal_a_count_of_pixels(seed: int, picture: tuple[int, int], grid: tuple[int, int]) -> None:
    generator = np.random.default_rng(seed)
    boxes = [
        (int(generator.integers(-3, picture[1])), int(generator.integers(-3, picture[0])),
         int(generator.integers(1, 12)), int(generator.integers(1, 12)))
        for _ in range(seed)
    ]  # fmt: skip
    np.testing.assert_allclose(covered_shares(boxes, picture, grid), covered_by_pixel(boxes, picture, grid), atol=1e-12)


def test_edges_between_pixels() -> None:
    shares = covered_shares([(1.25, 0.5, 1.5, 1.0)], (2, 4), (1, 2))
    np.testing.assert_allclose(shares, [[0.75 / 4, 0.75 / 4]])


def scored_by_loop(values, covered):
    """Pointing game and mass, cell by cell."""
    largest, hits, cells, inside, total = max(map(max, values)), 0.0, 0, 0.0, 0.0
    for row, shares in zip(values, covered, strict=True):
        for value, share in zip(row, shares, strict=True):
            if value == largest:
                hits += share
                cells += 1
            inside += value * share
            total += value
    return AttentionScore(hits / cells, inside / total, sum(map(sum, covered)) / (len(covered) * len(covered[0])))


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("levels", [3, 1000])
def test_scores_equal_a_loop_over_cells(seed: int, levels: int) -> None:
    generator = np.random.default_rng(seed)
    values = generator.integers(levels, size=(5, 7)) / levels + 0.001
    covered = covered_shares([(3, 2, 11, 9), (30, 20, 4, 7)], (35, 49), (5, 7))
    found, want = score_attention(values.astype(np.float64), covered), scored_by_loop(values.tolist(), covered.tolist())
    assert (found.hit, found.mass, found.area) == pytest.approx((want.hit, want.mass, want.area), rel=1e-12)


def test_a_constant_map_has_the_area_of_the_boxes_as_mass() -> None:
    covered = covered_shares([(0, 0, 7, 21)], (42, 28), (6, 4))
    score = score_attention(np.full((6, 4), 0.3), covered)
    assert score.mass == pytest.approx(score.area) == pytest.approx(1 / 8)


def test_a_map_of_zeros_points_nowhere() -> None:
    assert score_attention(np.zeros((2, 3)), np.ones((2, 3))) == AttentionScore(0.0, 0.0, 1.0)


def test_before_and_after_weighting() -> None:
    attention = np.zeros((3, 2, 2))
    attention[1, 0, 1], attention[1, 1, 0] = 0.6, 0.4
    weighted = attention.copy()
    weighted[1, 0, 1] = 0.1
    scores = score_labels(attention, weighted, {1: [(0, 10, 10, 10)]}, (20, 20))
    assert scores["A"] == [pytest.approx(AttentionScore(0.0, 0.4, 0.25))]
    assert scores["U"] == [pytest.approx(AttentionScore(1.0, 0.8, 0.25))]
    assert list(score_labels(attention, None, {}, (20, 20))) == ["A"]


def test_means() -> None:
    mean = mean_scores([AttentionScore(1.0, 0.5, 0.25), AttentionScore(0.0, 0.25, 0.75)])
    assert mean == AttentionScore(0.5, 0.375, 0.5)
    assert np.isnan(mean_scores([]).hit)


@pytest.mark.parametrize(
    ("boxes", "picture", "message"),
    [
        ([(1, 1, 0, 3)], (4, 4), r"^expected a box \(left, top, width, height\) with an area, found \(1, 1, 0, 3\)"),
        ([(1, 1, float("nan"), 3)], (4, 4), r"^expected a box"),
        ([], (0, 4), r"^expected a picture and a grid with cells, found sizes \(0, 4\) and \(2, 2\)"),
    ],
)
def test_boxes_and_pictures_without_an_area(boxes: list[Box], picture: tuple[int, int], message: str) -> None:
    with pytest.raises(DataError, match=message):
        covered_shares(boxes, picture, (2, 2))


@pytest.mark.parametrize("value", [-0.1, float("nan"), float("inf")])
def test_maps_that_are_no_attention(value: float) -> None:
    with pytest.raises(DataError, match=r"^expected attention of finite values from 0 on, found others; give A or U"):
        score_attention(np.array([[value, 1.0]]), np.ones((1, 2)))
    with pytest.raises(DataError, match=r"^expected a map of the shape of its boxes' shares \(1, 2\), found \(2, 1\)"):
        score_attention(np.ones((2, 1)), np.ones((1, 2)))
