"""BatchReindex against picking items."""

import numpy as np
import pytest
import torch

from caffe_compat.errors import DataError, ShapeError
from tests.layers.harness import build, check_layer, random_bottom

TEXT = "name: 'b' type: 'BatchReindex'"


def test_picks_items_also_twice() -> None:
    indices = torch.tensor([3.0, 0, 3, 1], dtype=torch.float64)
    layer = check_layer(
        TEXT, [random_bottom(5, 2, 3), indices], lambda _, x, which: np.stack([x[int(index)] for index in which])
    )
    assert layer.no_gradient_to == frozenset({1})


def test_may_pick_none() -> None:
    assert build(TEXT, (2, 3), (0,))(random_bottom(2, 3), torch.zeros(0)).shape == (0, 3)


def test_refuses_indices_beyond_the_batch_and_other_shapes() -> None:
    layer = build(TEXT, (2, 3), (1,))
    with pytest.raises(DataError, match=r"^layer 'b' \(BatchReindex\): expected indices from 0 to 1, got 2"):
        layer(random_bottom(2, 3), torch.tensor([0.0, 2.0]))
    with pytest.raises(ShapeError, match=r"^layer 'b' \(BatchReindex\): expected bottoms \(N, ...\) and \(M\), got"):
        layer(random_bottom(2, 3), torch.zeros(1, 1))
