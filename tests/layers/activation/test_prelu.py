"""PReLU against plain loops."""

import numpy as np
import pytest

from caffe_compat.errors import ShapeError
from tests.layers.harness import Array, assert_every_field_matters, build, check_layer, random_bottom

TEXT = "name: 'p' type: 'PReLU' prelu_param { filler { type: 'uniform' min: -1 max: 2 } }"


def oracle(blobs: list[Array], x: Array) -> Array:
    top = x.copy()
    for place in np.ndindex(*x.shape):
        slope = blobs[0] if blobs[0].ndim == 0 else blobs[0][place[1]]
        top[place] = x[place] if x[place] > 0 else slope * x[place]
    return top


@pytest.mark.parametrize("shape", [(2, 3), (2, 3, 4, 5)])
def test_has_a_slope_for_every_channel(shape: tuple[int, ...]) -> None:
    layer = check_layer(TEXT, [random_bottom(*shape)], oracle)
    assert layer.blobs[0].shape == (3,)


def test_may_share_one_slope() -> None:
    text = TEXT.replace("filler", "channel_shared: true filler")
    layer = check_layer(text, [random_bottom(2, 3, 4)], oracle)
    assert layer.blobs[0].shape == ()
    assert_every_field_matters(text, random_bottom(2, 3, 4))


def test_starts_at_a_quarter() -> None:
    assert build("type: 'PReLU'", (2, 3)).blobs[0].tolist() == [0.25] * 3


def test_wants_channels() -> None:
    with pytest.raises(ShapeError, match=r"^layer 'p' \(PReLU\): expected a bottom of at least 2 axes .*, got \(4,\)"):
        build(TEXT, (4,))
    for bottom, found in (((2, 4), "4"), ((6,), r"the shape \[6\]")):
        with pytest.raises(ShapeError, match=rf"^layer 'p' \(PReLU\): expected 3 channels on axis 1, got {found}"):
            build(TEXT, (2, 3))(random_bottom(*bottom))
