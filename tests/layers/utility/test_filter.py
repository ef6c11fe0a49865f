"""Filter against a loop over the batch."""

import numpy as np
import pytest
import torch

from caffe_compat.errors import GraphError, ShapeError
from tests.layers.harness import assert_close, build, check_gradients, random_bottom, run

TEXT = "name: 'f' type: 'Filter'"
SELECTOR = torch.tensor([0.0, 1, 0, -2, 1], dtype=torch.float64)


@pytest.mark.parametrize("shape", [(5,), (5, 1), (5, 1, 1, 1)])
def test_keeps_the_items_that_are_selected(shape: tuple[int, ...]) -> None:
    bottoms = [random_bottom(5, 2, 3), random_bottom(5, 4, seed=1), SELECTOR.reshape(shape)]
    layer = build(TEXT, *bottoms, tops=2)
    for top, bottom in zip(run(layer, *bottoms), bottoms, strict=False):
        assert_close(top, np.stack([bottom[index].numpy() for index in (1, 3, 4)]))
    assert layer.no_gradient_to == frozenset({2})
    check_gradients(layer, *bottoms)


def test_may_keep_none() -> None:
    (top,) = run(build(TEXT, (2, 3), (2,)), random_bottom(2, 3), torch.zeros(2))
    assert top.shape == (0, 3)


def test_states_the_whole_batch_before_it_runs() -> None:
    assert build(TEXT, (5, 2, 3), (5, 4), (5,), tops=2).top_shapes((5, 2, 3), (5, 4), (5,)) == [(5, 2, 3), (5, 4)]


def test_refuses_what_does_not_fit() -> None:
    with pytest.raises(
        GraphError, match=r"^layer 'f' \(Filter\): expected 2 tops \(one a bottom but the selector\), got 1"
    ):
        build(TEXT, (5, 2), (5, 2), (5,))
    layer = build(TEXT, (5, 2), (5,))
    with pytest.raises(
        ShapeError, match=r"^layer 'f' \(Filter\): expected a selector \(N\) or \(N, 1 ...\), got \(5, 2\)"
    ):
        layer(random_bottom(5, 2), random_bottom(5, 2))
    with pytest.raises(
        ShapeError, match=r"^layer 'f' \(Filter\): expected 5 items \(the selector's\) in bottom 0, got 4"
    ):
        layer(random_bottom(4, 2), SELECTOR)
