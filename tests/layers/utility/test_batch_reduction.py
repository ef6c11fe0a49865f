"""BatchReduction against plain loops."""

import numpy as np
import pytest
import torch

from caffe_compat.errors import FieldError, ShapeError
from tests.layers.harness import Array, assert_every_field_matters, build, check_layer, random_bottom


def reduction(fields: str, levels: str = "") -> str:
    return f"name: 'b' type: 'BatchReduction' batch_reduction_param {{ {levels} reduction_param {{ {fields} }} }}"


def levels_reduced(x: Array, axis: int, levels: list[int], mean: bool) -> Array:
    tops, start = [], 0
    for level in levels:
        items = [x.take(index, axis) for index in range(start, start + level**2)]
        tops.append(sum(items) / (len(items) if mean else 1))
        start += level**2
    return np.stack(tops, axis)


@pytest.mark.parametrize("operation", ["SUM", "MEAN"])
def test_reduces_every_level(operation: str) -> None:
    text = reduction(f"operation: {operation} axis: -2", "level: 2 level: 1")
    check_layer(text, [random_bottom(2, 5, 3)], lambda _, x: levels_reduced(x, 1, [2, 1], operation == "MEAN"))


def test_without_levels_the_axis_goes_away() -> None:
    check_layer(reduction("operation: MEAN axis: 1"), [random_bottom(2, 5, 3)], lambda _, x: x.mean(1))
    check_layer(reduction("", "level: 1"), [random_bottom(2, 5, 3)], lambda _, x: x.sum(0))


def test_top_k_is_the_mean_of_the_largest() -> None:
    text = reduction("operation: TOPK k: 2 axis: 1")
    check_layer(text, [random_bottom(2, 5, 3)], lambda _, x: np.sort(x, 1)[:, -2:].mean(1))
    check_layer(
        reduction("operation: TOPK k: 3 axis: 1", "level: 2"),
        [random_bottom(2, 4, 3)],
        lambda _, x: np.sort(x, 1)[:, -3:].mean(1, keepdims=True),
    )


def test_every_field_matters() -> None:
    assert_every_field_matters(reduction("operation: TOPK k: 2 axis: 1"), random_bottom(2, 5, 3))
    assert_every_field_matters(reduction("operation: MEAN axis: 1", "level: 2 level: 1"), random_bottom(2, 5, 3))


@pytest.mark.parametrize(
    ("fields", "levels", "message"),
    [
        ("operation: ASUM", "", "expected operation SUM, MEAN, TOPK, got ASUM"),
        ("operation: TOPK", "level: 1 level: 2", r"expected one level for TOPK, got \[1, 2\]"),
        ("coeff: 2", "", "batch_reduction_param.reduction_param.coeff is set but BatchReduction does not honour it"),
    ],
)
def test_refuses_what_the_fork_does_not_have(fields: str, levels: str, message: str) -> None:
    with pytest.raises(FieldError, match=rf"^layer 'b' \(BatchReduction\): {message}"):
        build(reduction(fields, levels), (5, 3))


def test_refuses_sizes_that_do_not_fit() -> None:
    with pytest.raises(ShapeError, match=r"^layer 'b' \(BatchReduction\): expected an axis 0 of size 5 .*, got 4"):
        build(reduction("", "level: 1 level: 2"), (4, 3))(random_bottom(4, 3))
    with pytest.raises(FieldError, match=r"^layer 'b' \(BatchReduction\): expected k from 1 to 4 .*, got 5"):
        build(reduction("operation: TOPK k: 5"), (4, 3))(random_bottom(4, 3))


def test_k_counts_for_topk_alone() -> None:
    text = "name: 'b' type: 'BatchReduction' batch_reduction_param { reduction_param { operation: MEAN %s } }"
    bottom = random_bottom(4, 3)
    assert torch.equal(build(text % "k: 2", bottom)(bottom), build(text % "", bottom)(bottom))
