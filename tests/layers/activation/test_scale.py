"""Scale against plain loops: learnt and given, with and without bias."""

import numpy as np
import pytest
import torch

from tests.layers.harness import Array, assert_every_field_matters, build, check_layer, random_bottom

FILLERS = "filler { type: 'uniform' min: -1 max: 2 } bias_filler { type: 'gaussian' std: 0.5 }"


def scaled(x: Array, scale: Array, bias: Array, axis: int) -> Array:
    top = np.empty_like(x)
    for place in np.ndindex(*x.shape):
        covered = place[axis : axis + scale.ndim]
        top[place] = x[place] * scale[covered] + bias[covered]
    return top


def test_scale_and_bias_over_the_axes_asked_for() -> None:
    text = f"type: 'Scale' scale_param {{ axis: -2 num_axes: 2 bias_term: true {FILLERS} }}"
    layer = check_layer(text, [random_bottom(2, 3, 4, 5)], lambda blobs, x: scaled(x, blobs[0], blobs[1], 2))
    assert [tuple(blob.shape) for blob in layer.blobs] == [(4, 5), (4, 5)]
    assert_every_field_matters(text, random_bottom(2, 3, 4, 5))


@pytest.mark.parametrize(("num_axes", "shape"), [(-1, (3, 4)), (0, ()), (1, (3,))])
def test_shape_of_the_blob(num_axes: int, shape: tuple[int, ...]) -> None:
    text = f"type: 'Scale' scale_param {{ num_axes: {num_axes} filler {{ type: 'gaussian' std: 1 }} }}"
    layer = check_layer(text, [random_bottom(2, 3, 4)], lambda blobs, x: scaled(x, blobs[0], np.zeros(shape), 1))
    assert layer.blobs[0].shape == shape


def test_starts_at_one_and_zero() -> None:
    layer = build("type: 'Scale' scale_param { bias_term: true }", (2, 3))
    assert [blob.tolist() for blob in layer.blobs] == [[1, 1, 1], [0, 0, 0]]


def test_bottom_1_scales_and_only_the_bias_is_learnt() -> None:
    text = "type: 'Scale' scale_param { axis: 0 bias_term: true }"
    bias = torch.randn(2, 3, dtype=torch.float64)
    layer = check_layer(
        text,
        [random_bottom(2, 3, 4), random_bottom(2, 3, seed=1)],
        lambda blobs, x, scale: scaled(x, scale, blobs[0], 0),
        blobs=[bias],
    )
    assert len(layer.blobs) == 1
