"""EuclideanLoss against plain loops."""

import numpy as np
import pytest

from caffe_compat.errors import ShapeError
from tests.layers.harness import build, check_layer, random_bottom

TEXT = "name: 'e' type: 'EuclideanLoss'"


@pytest.mark.parametrize("label", [(4, 3, 2), (4, 6)])
def test_is_half_the_mean_squared_distance(label: tuple[int, ...]) -> None:
    layer = check_layer(
        TEXT,
        [random_bottom(4, 3, 2), random_bottom(*label, seed=1)],
        lambda _, a, b: np.array(sum((p - q) ** 2 for p, q in zip(a.flat, b.flat, strict=True)) / 4 / 2),
    )
    assert layer.no_gradient_to == frozenset()


def test_refuses_bottoms_that_do_not_fit() -> None:
    layer = build(TEXT, (4, 3), (4, 3))
    with pytest.raises(ShapeError, match=r"^layer 'e' \(EuclideanLoss\): expected .* the same first dimension, got"):
        layer(random_bottom(4, 3), random_bottom(3, 4))
    with pytest.raises(ShapeError, match=r"^layer 'e' \(EuclideanLoss\): expected .* of the same count, got \(4, 3\)"):
        layer(random_bottom(4, 3), random_bottom(4, 2))
