"""LRN against plain loops, across channels and within them."""

import numpy as np
import pytest
import torch

from caffe_compat.errors import FieldError, ShapeError
from tests.layers.harness import Array, assert_every_field_matters, build, check_layer, random_bottom

FIELDS = "local_size: 3 alpha: 0.75 beta: 0.375"


def test_across_channels() -> None:
    def oracle(_: list[Array], bottom: Array) -> Array:
        top = np.empty_like(bottom)
        for n, c, y, x in np.ndindex(bottom.shape):
            energy = sum(bottom[n, other, y, x] ** 2 for other in range(max(c - 1, 0), min(c + 2, 5)))
            top[n, c, y, x] = bottom[n, c, y, x] / (1.5 + 0.75 / 3 * energy) ** 0.375
        return top

    check_layer(f"type: 'LRN' lrn_param {{ {FIELDS} k: 1.5 }}", [random_bottom(2, 5, 3, 4)], oracle)


def test_within_a_channel_k_is_one() -> None:
    def oracle(_: list[Array], bottom: Array) -> Array:
        top = np.empty_like(bottom)
        for n, c, y, x in np.ndindex(bottom.shape):
            window = bottom[n, c, max(y - 1, 0) : y + 2, max(x - 1, 0) : x + 2]
            top[n, c, y, x] = bottom[n, c, y, x] / (1 + 0.75 / 9 * (window**2).sum()) ** 0.375
        return top

    text = f"type: 'LRN' lrn_param {{ {FIELDS} k: 1.5 norm_region: WITHIN_CHANNEL }}"
    check_layer(text, [random_bottom(2, 3, 4, 5)], oracle)


@pytest.mark.parametrize("region", ["ACROSS_CHANNELS", "WITHIN_CHANNEL"])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_in_half_precision_squares_do_not_overflow(region: str, dtype: torch.dtype) -> None:
    layer = build(f"type: 'LRN' lrn_param {{ {FIELDS} norm_region: {region} }}", (2, 5, 3, 4))
    bottom = 300 * random_bottom(2, 5, 3, 4).float()
    top = layer(bottom.to(dtype))

    assert top.dtype == dtype
    torch.testing.assert_close(top.float(), layer(bottom), rtol=0.02, atol=0.02)


def test_every_field_matters() -> None:
    bottom = random_bottom(2, 5, 3, 4)
    assert_every_field_matters(
        f"type: 'LRN' lrn_param {{ {FIELDS} k: 1.5 engine: CAFFE }}", bottom, without_effect=["engine"]
    )
    assert_every_field_matters(f"type: 'LRN' lrn_param {{ {FIELDS} norm_region: WITHIN_CHANNEL }}", bottom)


def test_refuses_even_sizes() -> None:
    with pytest.raises(FieldError, match=r"^layer 'norm1' \(LRN\): expected an odd local_size, got 4"):
        build("name: 'norm1' type: 'LRN' lrn_param { local_size: 4 }", (2, 3, 4, 5))


def test_refuses_three_axes() -> None:
    with pytest.raises(ShapeError, match=r"^layer 'norm1' \(LRN\): expected 4 axes .* got \[2, 3, 4\]"):
        build("name: 'norm1' type: 'LRN'", (2, 3, 4)).top_shapes((2, 3, 4))
