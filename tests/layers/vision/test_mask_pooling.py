"""MaskPooling: channels times a mask."""

import numpy as np
import pytest

from caffe_compat.errors import ShapeError
from tests.layers.harness import Array, build, check_layer, random_bottom


def loop(_: list[Array], bottom: Array, mask: Array) -> Array:
    top = np.zeros(bottom.shape)
    for n, c, y, x in np.ndindex(top.shape):
        top[n, c, y, x] = bottom[n, c, y, x] * mask[n, 0, y, x]
    return top


def test_every_channel_times_the_mask() -> None:
    check_layer("type: 'MaskPooling'", [random_bottom(2, 3, 4, 5), random_bottom(2, 1, 4, 5, seed=1)], loop)


@pytest.mark.parametrize("mask", [(2, 3, 4, 5), (1, 1, 4, 5), (2, 1, 4, 4), (2, 1)])
def test_refuses_other_masks(mask: tuple[int, ...]) -> None:
    layer = build("type: 'MaskPooling'", (2, 3, 4, 5), (2, 1, 4, 5))
    with pytest.raises(
        ShapeError, match=r"^layer 'layer' \(MaskPooling\): expected 4 axes .* and a mask of one channel"
    ):
        layer.top_shapes((2, 3, 4, 5), mask)
