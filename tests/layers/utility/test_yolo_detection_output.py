"""YoloDetectionOutput against the loops of MobileNet-YOLO."""

import math

import numpy as np
import pytest
import torch

from caffe_compat.errors import FieldError, ShapeError
from tests.layers.harness import Array, assert_every_field_matters, build, random_bottom

FIELDS = "num_classes: 3 num_box: 2 confidence_threshold: 0.2 nms_threshold: 0.3 biases: [1.5, 2.5, 3, 0.5]"
TEXT = f"type: 'YoloDetectionOutput' yolo_detection_output_param {{ {FIELDS} }}"
BIASES = [1.5, 2.5, 3, 0.5]


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def candidates(grid: Array) -> list[list[float]]:
    found = []
    for n, j, i, b in np.ndindex(len(grid), grid.shape[2], grid.shape[3], 2):
        x, y, w, h, thing, *classes = grid[n, 8 * b : 8 * b + 8, j, i]
        side = grid.shape[2]
        chances = np.exp(classes) / np.exp(classes).sum()
        score = sigmoid(thing) * chances.max()
        if score >= 0.2:
            box = [(i + sigmoid(x)) / side, (j + sigmoid(y)) / side]
            sizes = [math.exp(w) * BIASES[2 * b] / side, math.exp(h) * BIASES[2 * b + 1] / side]
            found.append([int(chances.argmax()) + 1, score, *box, *sizes])
    return found


def overlap(one: list[float], other: list[float]) -> float:
    common = 1.0
    for axis in range(2):
        low = max(box[2 + axis] - box[4 + axis] / 2 for box in (one, other))
        common *= max(min(box[2 + axis] + box[4 + axis] / 2 for box in (one, other)) - low, 0)
    return common / (one[4] * one[5] + other[4] * other[5] - common)


def loop(_: list[Array], *grids: Array) -> Array:
    kept: list[list[float]] = []
    for box in sorted((box for grid in grids for box in candidates(grid)), key=lambda box: -box[1]):
        if all(overlap(box, other) < 0.3 for other in kept):
            kept.append(box)
    rows = [[0, c, score, x - w / 2, y - h / 2, x + w / 2, y + h / 2] for c, score, x, y, w, h in kept]
    return np.array(rows or [[n, *[-1.0] * 6] for n in range(len(grids[0]))])[None, None]


@pytest.mark.parametrize("sides", [[4], [3, 5]])
def test_boxes_of_grids(sides: list[int]) -> None:
    grids = [random_bottom(1, 16, side, side, seed=side) for side in sides]
    layer = build(TEXT, *grids)
    found = layer(*grids)
    expected = loop([], *(grid.numpy() for grid in grids))
    assert len(expected[0, 0]) > 3
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)
    assert layer(*(grid.float() for grid in grids)).dtype == torch.float32


def test_no_detection() -> None:
    grid = random_bottom(2, 16, 4, 4)
    grid[:, 4::8] = -9
    assert build(TEXT, grid)(grid).tolist() == [[[[0, *[-1] * 6], [1, *[-1] * 6]]]]


def test_every_field_matters() -> None:
    grid = random_bottom(1, 16, 4, 4)
    without = ("side", "coords", "label_map_file")
    text = TEXT.replace("{ num", "{ side: 9 coords: 5 label_map_file: 'a' num")
    assert_every_field_matters(text, grid, without_effect=without)


def test_refuses_what_does_not_fit() -> None:
    with pytest.raises(
        FieldError, match=r"expected num_classes and num_box above 0 and two biases per box, got 3, 2 and 1"
    ):
        build(TEXT.replace("[1.5, 2.5, 3, 0.5]", "7"), (1, 16, 4, 4))
    layer = build(TEXT, (1, 16, 4, 4))
    for shape in ((1, 15, 4, 4), (1, 16, 4, 5), (1, 16)):
        with pytest.raises(
            ShapeError, match=r"expected 16 channels, num_box \* \(5 \+ num_classes\), and as many rows"
        ):
            layer.top_shapes(shape)
