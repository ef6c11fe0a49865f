"""Normalize in both meanings, and SSD's second name for its own."""

import numpy as np
import pytest

from caffe_compat.errors import ShapeError
from tests.layers.harness import Array, assert_every_field_matters, build, check_layer, random_bottom

SCALE = "scale_filler { type: 'uniform' min: 0.5 max: 2 }"


def test_unit_length_without_norm_param() -> None:
    def oracle(_: list[Array], bottom: Array) -> Array:
        return np.stack([item / np.sqrt(sum(value**2 for value in item.ravel())) for item in bottom])

    layer = check_layer("type: 'Normalize'", [random_bottom(2, 3, 4, 5)], oracle)
    assert len(layer.blobs) == 0


@pytest.mark.parametrize("kind", ["Normalize", "NormalizeBBox"])
@pytest.mark.parametrize("is_shared", [True, False])
@pytest.mark.parametrize("is_across", [True, False])
def test_scaled_with_norm_param(kind: str, is_shared: bool, is_across: bool) -> None:
    def oracle(blobs: list[Array], bottom: Array) -> Array:
        scale = np.broadcast_to(blobs[0], (3,))
        top = np.empty_like(bottom)
        for n, c, y, x in np.ndindex(bottom.shape):
            summed = bottom[n] if is_across else bottom[n, :, y, x]
            top[n, c, y, x] = scale[c] * bottom[n, c, y, x] / np.sqrt((summed**2).sum() + 0.125)
        return top

    fields = f"across_spatial: {str(is_across).lower()} channel_shared: {str(is_shared).lower()} eps: 0.125 {SCALE}"
    layer = check_layer(f"type: '{kind}' norm_param {{ {fields} }}", [random_bottom(2, 3, 4, 5)], oracle)
    assert [tuple(blob.shape) for blob in layer.blobs] == [() if is_shared else (3,)]


@pytest.mark.parametrize("text", ["type: 'NormalizeBBox'", "type: 'Normalize' norm_param { }"])
def test_scale_starts_at_one(text: str) -> None:
    layer = build(text, (2, 3, 4, 5))
    assert [blob.item() for blob in layer.blobs] == [1.0]


def test_every_field_matters() -> None:
    text = f"type: 'Normalize' norm_param {{ across_spatial: false channel_shared: false eps: 0.125 {SCALE} }}"
    assert_every_field_matters(text, random_bottom(2, 3, 4, 5))


def test_refuses_one_axis() -> None:
    with pytest.raises(ShapeError, match=r"^layer 'norm' \(Normalize\): expected at least 2 axes, got \[3\]"):
        build("name: 'norm' type: 'Normalize' norm_param { }", (3,))


def test_says_that_other_caffes_divide_every_place(caplog: pytest.LogCaptureFixture) -> None:
    build("name: 'n' type: 'Normalize'", random_bottom(2, 3))
    build("name: 'n' type: 'Normalize' norm_param { }", random_bottom(2, 3, 4, 5))
    assert not caplog.records
    build("name: 'n' type: 'Normalize'", random_bottom(2, 3, 4, 5))
    (record,) = caplog.records
    assert record.getMessage().startswith("layer 'n' (Normalize): without norm_param every item is divided as a whole")
