"""Attention as numbers: whether it looks where an object truly is.

A map has one value per cell of a grid that covers the whole picture. A cell belongs to a box by the share of the
cell's area that the box covers, since cells are larger than small objects.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from caffe_compat.errors import DataError

Maps = NDArray[np.floating]
Shares = NDArray[np.float64]
#: Left, top, width and height in pixels of the picture.
Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class AttentionScore:
    """How one map and the boxes of its label agree, all in 0..1."""

    hit: float  # pointing game: whether the largest value lies in a box; ties count by their share of hits
    mass: float  # the share of the map's sum that lies in the boxes
    area: float  # the share of the picture that the boxes cover: what a constant map has as mass


def covered_shares(boxes: Sequence[Box], picture: tuple[int, int], grid: tuple[int, int]) -> Shares:
    """The share of each cell that the boxes cover together, shape `grid`.

    `picture` and `grid` are (height, width). Boxes may overlap, and may lie partly outside the picture. Raises
    DataError for a box without area or a picture without pixels.
    """
    if min(picture) <= 0 or min(grid) <= 0:
        raise DataError(f"expected a picture and a grid with cells, found sizes {picture} and {grid}")
    for box in boxes:
        if not (box[2] > 0 and box[3] > 0):
            raise DataError(f"expected a box (left, top, width, height) with an area, found {tuple(box)}")
    edges = [_cell_edges(boxes, axis, picture[1 - axis], grid[1 - axis]) for axis in (0, 1)]
    covered = np.zeros((len(edges[1]) - 1, len(edges[0]) - 1), bool)
    columns, rows = ((line[:-1] + line[1:]) / 2 for line in edges)
    for left, top, width, height in boxes:
        inside = (rows > top) & (rows < top + height)
        covered |= inside[:, None] & ((columns > left) & (columns < left + width))[None]
    areas = covered * np.diff(edges[1])[:, None] * np.diff(edges[0])[None]
    cell = (picture[0] / grid[0], picture[1] / grid[1])
    shares = np.zeros(grid)
    index = tuple(np.minimum((middle / size).astype(int), count - 1)
                  for middle, size, count in zip((rows, columns), cell, grid, strict=True))  # fmt: skip
    np.add.at(shares, np.ix_(*index), areas)
    return shares / (cell[0] * cell[1])


def _cell_edges(boxes: Sequence[Box], axis: int, pixels: int, cells: int) -> Shares:
    """All edges of cells and boxes along one axis: between two of them nothing changes."""
    own = np.linspace(0, pixels, cells + 1)
    of_boxes = [edge for box in boxes for edge in (box[axis], box[axis] + box[axis + 2])]
    return np.unique(np.clip([*own, *of_boxes], 0, pixels))


def score_attention(attention: Maps, covered: Shares) -> AttentionScore:
    """Score one map (height, width) of values from 0 on against the shares of its cells that lie in boxes.

    Raises DataError where shapes differ, or where a value is negative or not finite.
    """
    values = np.asarray(attention, np.float64)
    if values.shape != covered.shape:
        raise DataError(f"expected a map of the shape of its boxes' shares {covered.shape}, found {values.shape}")
    if not (np.isfinite(values).all() and (values >= 0).all()):
        raise DataError("expected attention of finite values from 0 on, found others; give A or U of a trained net")
    total = values.sum()
    largest = values == values.max()
    return AttentionScore(
        hit=float(covered[largest].mean()) if total else 0.0,
        mass=float((values * covered).sum() / total) if total else 0.0,
        area=float(covered.mean()),
    )


def mean_scores(scores: Sequence[AttentionScore]) -> AttentionScore:
    """The mean of each score; NaN without any."""
    if not scores:
        return AttentionScore(np.nan, np.nan, np.nan)
    rows = np.array([(score.hit, score.mass, score.area) for score in scores])
    return AttentionScore(*rows.mean(axis=0).tolist())


def score_labels(
    attention: Maps, weighted: Maps | None, boxes: Mapping[int, Sequence[Box]], picture: tuple[int, int]
) -> dict[str, list[AttentionScore]]:
    """Scores before and after weighting: of A as "A", and of U as "U" where the net has it, for each label with boxes.

    Maps are (labels, height, width); `boxes` are by label, in pixels of a picture of (height, width).
    """
    shares = {label: covered_shares(places, picture, attention.shape[1:]) for label, places in boxes.items()}
    maps = {"A": attention, "U": weighted}
    return {
        name: [score_attention(values[label], share) for label, share in shares.items()]
        for name, values in maps.items()
        if values is not None
    }
