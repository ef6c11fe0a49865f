"""ShuffleChannel against a loop over channels."""

import numpy as np
import pytest

from caffe_compat.errors import FieldError, ShapeError
from tests.layers.harness import Array, assert_every_field_matters, build, check_layer, random_bottom

TEXT = "name: 's' type: 'ShuffleChannel' shuffle_channel_param { group: 2 }"


def oracle(_: list[Array], x: Array) -> Array:
    top = np.empty_like(x)
    for group, place in np.ndindex(2, 3):
        top[:, 2 * place + group] = x[:, 3 * group + place]
    return top


@pytest.mark.parametrize("shape", [(2, 6), (2, 6, 3, 4)])
def test_deals_channels_out(shape: tuple[int, ...]) -> None:
    check_layer(TEXT, [random_bottom(*shape)], oracle)
    assert_every_field_matters(TEXT, random_bottom(*shape))


def test_refuses_unequal_groups() -> None:
    with pytest.raises(ShapeError, match=r"^layer 's' \(ShuffleChannel\): expected channels .* in 2 equal groups, got"):
        build(TEXT, (2, 5))(random_bottom(2, 5))
    with pytest.raises(FieldError, match=r"^layer 's' \(ShuffleChannel\): expected group of at least 1, got 0"):
        build("name: 's' type: 'ShuffleChannel'", (2, 6))
