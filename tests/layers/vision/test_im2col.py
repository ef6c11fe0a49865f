"""Im2col against plain loops."""

from typing import Any

import numpy as np
import pytest

from caffe_compat.errors import ShapeError
from tests.layers.harness import Array, assert_every_field_matters, build, check_layer, random_bottom
from tests.layers.vision.oracles import window_places

TEXT = (
    "type: 'Im2col' convolution_param { kernel_h: 3 kernel_w: 2 stride_h: 2 stride_w: 3"
    " pad_h: 1 pad_w: 2 dilation: 1 dilation: 2 }"
)


def test_lists_what_each_window_reads() -> None:
    def oracle(_: list[Array], bottom: Array) -> Array:
        top: Array = np.zeros((2, 3, 3, 2, 3, 3))
        window: dict[str, Any] = {"stride": (2, 3), "pad": (1, 2), "dilation": (1, 2)}
        for place, element, at in window_places((5, 6), (3, 3), (3, 2), **window):
            top[:, :, *element, *place] = bottom[:, :, *at]
        return top.reshape(2, 18, 3, 3)

    check_layer(TEXT, [random_bottom(2, 3, 5, 6)], oracle)


def test_reads_zeros_behind_an_input_that_does_not_fill_the_window() -> None:
    def oracle(_: list[Array], bottom: Array) -> Array:
        top: Array = np.zeros((2, 3, 4, 1, 1, 3))
        for place, element, at in window_places((3, 5), (1, 3), (4, 1), stride=(2, 2), pad=(0, 0), dilation=(1, 1)):
            top[:, :, *element, *place] = bottom[:, :, *at]
        return top.reshape(2, 12, 1, 3)

    text = "type: 'Im2col' convolution_param { kernel_h: 4 kernel_w: 1 stride: 2 }"
    check_layer(text, [random_bottom(2, 3, 3, 5)], oracle)


def test_every_field_matters() -> None:
    text = "type: 'Im2col' convolution_param { kernel_size: 2 stride: 2 pad: 1 dilation: 3 axis: 0 engine: CAFFE }"
    assert_every_field_matters(text, random_bottom(3, 8, 9), without_effect=["engine"])


def test_refuses_a_bottom_without_spatial_axes() -> None:
    with pytest.raises(
        ShapeError, match=r"^layer 'cols' \(Im2col\): expected spatial axes behind axis 1, got \[2, 3\]"
    ):
        build("name: 'cols' type: 'Im2col' convolution_param { kernel_size: 2 }", (2, 3))
