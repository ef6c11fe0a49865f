"""Deconvolution against plain loops."""

import numpy as np
import pytest

from caffe_compat.errors import MissingFeatureError, ShapeError
from tests.layers.harness import Array, assert_every_field_matters, build, check_layer, random_bottom
from tests.layers.vision.oracles import deconvolve

FILLERS = "weight_filler { type: 'gaussian' std: 0.5 } bias_filler { type: 'uniform' min: -1 max: 2 }"


def deconvolution(fields: str) -> str:
    return f"name: 'up' type: 'Deconvolution' convolution_param {{ {fields} {FILLERS} }}"


def test_two_axes_with_everything_set() -> None:
    text = deconvolution(
        "num_output: 6 group: 2 kernel_h: 3 kernel_w: 2 stride: 2 stride: 3 pad_h: 1 pad_w: 2 dilation: 1 dilation: 2"
    )

    def oracle(blobs: list[Array], bottom: Array) -> Array:
        return deconvolve(bottom, blobs, (5, 8), 2, stride=(2, 3), pad=(1, 2), dilation=(1, 2))

    layer = check_layer(text, [random_bottom(2, 4, 3, 4)], oracle)
    assert [tuple(blob.shape) for blob in layer.blobs] == [(4, 3, 3, 2), (6,)]


@pytest.mark.parametrize(("sizes", "top_sizes"), [((4,), (9,)), ((2, 1, 3), (5, 3, 7))])
def test_other_numbers_of_axes(sizes: tuple[int, ...], top_sizes: tuple[int, ...]) -> None:
    axes = len(sizes)

    def oracle(blobs: list[Array], bottom: Array) -> Array:
        window = {"stride": (2,) * axes, "pad": (0,) * axes, "dilation": (1,) * axes}
        return deconvolve(bottom, blobs, top_sizes, 1, **window)

    check_layer(deconvolution("num_output: 2 kernel_size: 3 stride: 2"), [random_bottom(2, 3, *sizes)], oracle)


def test_without_spatial_axes() -> None:
    def oracle(blobs: list[Array], bottom: Array) -> Array:
        weight, bias = blobs
        groups = [half @ part for half, part in zip(np.split(bottom, 2, 1), np.split(weight, 2), strict=True)]
        top: Array = np.concatenate(groups, 1) + bias
        return top

    check_layer(deconvolution("num_output: 6 group: 2 kernel_size: 3"), [random_bottom(5, 4)], oracle)


def test_every_field_matters() -> None:
    text = deconvolution("num_output: 4 group: 2 kernel_size: 3 stride: 2 pad: 1 dilation: 2")
    assert_every_field_matters(text, random_bottom(2, 4, 3, 2))


def test_refuses_four_spatial_axes() -> None:
    with pytest.raises(
        MissingFeatureError, match=r"^layer 'up' \(Deconvolution\): expected at most 3 spatial axes, got 4"
    ):
        build(deconvolution("num_output: 4 kernel_size: 3"), (1, 2, 3, 3, 3, 3))


def test_refuses_a_top_that_is_all_padding() -> None:
    layer = build(deconvolution("num_output: 4 kernel_size: 3 pad: 2"), (1, 2, 2, 5))
    with pytest.raises(ShapeError, match=r"^layer 'up' .* at least one window, got \[2, 5\], which gives \[0, 3\]"):
        layer(random_bottom(1, 2, 2, 5))
