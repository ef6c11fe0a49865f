"""Reduction against plain sums."""

from collections.abc import Callable

import numpy as np
import pytest
import torch

from caffe_compat.errors import FieldError
from tests.layers.harness import Array, assert_every_field_matters, build, check_layer, gradient, random_bottom


def reduction(fields: str) -> str:
    return f"name: 'r' type: 'Reduction' reduction_param {{ {fields} }}"


@pytest.mark.parametrize(
    ("operation", "reduce"),
    [
        ("SUM", np.sum),
        ("ASUM", lambda row: sum(abs(value) for value in row)),
        ("SUMSQ", lambda row: sum(value**2 for value in row)),
        ("MEAN", np.mean),
        ("TOPK k: 3", lambda row: np.sort(row)[-3:].mean()),
    ],
)
@pytest.mark.parametrize(("axis", "kept"), [(0, ()), (1, (2,)), (-1, (2, 3))])
def test_operations(operation: str, reduce: Callable[[Array], float], axis: int, kept: tuple[int, ...]) -> None:
    def oracle(_: list[Array], x: Array) -> Array:
        rows = x.reshape(int(np.prod(kept)), -1)
        return -0.5 * np.array([reduce(row) for row in rows]).reshape(kept)

    text = reduction(f"operation: {operation} axis: {axis} coeff: -0.5")
    check_layer(text, [random_bottom(2, 3, 5)], oracle)


def test_every_field_matters() -> None:
    assert_every_field_matters(reduction("operation: TOPK k: 2 axis: -1 coeff: 3"), random_bottom(2, 3, 4))


def test_gradient_of_asum_at_zero_is_zero() -> None:
    bottom = torch.tensor([-2.0, 0.0], requires_grad=True)
    build(reduction("operation: ASUM"), bottom)(bottom).backward()
    assert gradient(bottom).tolist() == [-1, 0]


def test_refuses_k_beyond_the_values() -> None:
    with pytest.raises(FieldError, match=r"^layer 'r' \(Reduction\): expected k from 1 to 6 .*, got 7"):
        build(reduction("operation: TOPK k: 7"), (2, 3))(random_bottom(2, 3))


def test_k_counts_for_topk_alone() -> None:
    bottom = random_bottom(4, 3)
    assert torch.equal(build(reduction("k: 2"), bottom)(bottom), build(reduction(""), bottom)(bottom))
