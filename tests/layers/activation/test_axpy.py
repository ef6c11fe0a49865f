"""Axpy against plain loops."""

import numpy as np
import pytest

from caffe_compat.errors import ShapeError
from tests.layers.harness import Array, build, check_layer, random_bottom

TEXT = "name: 'a' type: 'Axpy'"


def oracle(_: list[Array], scale: Array, x: Array, y: Array) -> Array:
    top = np.empty_like(x)
    for place in np.ndindex(*x.shape):
        top[place] = scale.reshape(x.shape[:2])[place[:2]] * x[place] + y[place]
    return top


@pytest.mark.parametrize("scale", [(2, 3), (2, 3, 1, 1)])
def test_scales_channels_and_adds(scale: tuple[int, ...]) -> None:
    check_layer(
        TEXT, [random_bottom(*scale), random_bottom(2, 3, 4, 5, seed=1), random_bottom(2, 3, 4, 5, seed=2)], oracle
    )


def test_refuses_bottoms_that_do_not_fit() -> None:
    x, y, scale = random_bottom(2, 3, 4), random_bottom(2, 3, 5), random_bottom(2, 3)
    with pytest.raises(
        ShapeError, match=r"^layer 'a' \(Axpy\): expected x and y of one shape \(N, C, ...\), got \(2, "
    ):
        build(TEXT, scale, x, y)(scale, x, y)
    with pytest.raises(ShapeError, match=r"^layer 'a' \(Axpy\): expected a scale of shape \(2, 3\), got \(2, 3, 4\)"):
        build(TEXT, x, x, x)(x, x, x)
