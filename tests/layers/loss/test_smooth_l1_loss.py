"""SmoothL1Loss against plain loops, with the weights of its three users."""

import numpy as np
import pytest

from caffe_compat.errors import FieldError, ShapeError
from tests.layers.harness import Array, assert_every_field_matters, build, check_layer, random_bottom

TEXT = "name: 's' type: 'SmoothL1Loss' smooth_l1_loss_param { sigma: 1.5 }"


def oracle(_: list[Array], a: Array, b: Array, *weights: Array) -> Array:
    inside, outside = (*weights, np.ones_like(a), np.ones_like(a))[:2] if len(weights) != 1 else (weights[0], 1 + 0 * a)
    loss = 0.0
    for place in np.ndindex(*a.shape):
        d = abs(inside[place] * (a[place] - b[place]))
        loss += outside[place] * (0.5 * (1.5 * d) ** 2 if d < 1 / 1.5**2 else d - 0.5 / 1.5**2)
    return np.array(loss / len(a))


@pytest.mark.parametrize("bottoms", [2, 3, 4])
def test_is_quadratic_near_zero_and_linear_beyond(bottoms: int) -> None:
    blobs = [random_bottom(3, 4, 2, seed=seed) for seed in range(bottoms)]
    layer = check_layer(TEXT, blobs, oracle)
    assert layer.no_gradient_to == frozenset({2, 3})
    assert_every_field_matters(TEXT, *blobs)


def test_refuses_shapes_that_differ() -> None:
    with pytest.raises(
        ShapeError, match=r"^layer 's' \(SmoothL1Loss\): expected bottoms of one shape, .* for bottom 2"
    ):
        build(TEXT, (3, 2), (3, 2), (3, 1))(random_bottom(3, 2), random_bottom(3, 2), random_bottom(3, 1))


@pytest.mark.parametrize(("sigma", "said"), [("0", "0.0"), ("-1.5", "-1.5"), ("-inf", "-inf")])
def test_refuses_a_sigma_that_is_not_above_zero(sigma: str, said: str) -> None:
    with pytest.raises(FieldError, match=rf"^layer 's' \(SmoothL1Loss\): expected sigma above 0, got {said}$"):
        build(TEXT.replace("1.5", sigma), (3, 2), (3, 2))
