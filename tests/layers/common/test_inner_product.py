"""InnerProduct against plain loops."""

import numpy as np
import pytest

from caffe_compat.errors import FieldError, ShapeError
from tests.layers.harness import Array, assert_every_field_matters, build, check_layer, random_bottom

FILLERS = "weight_filler { type: 'gaussian' std: 0.5 } bias_filler { type: 'uniform' min: -1 max: 2 }"


def test_multiplies_what_follows_the_axis() -> None:
    def oracle(blobs: list[Array], bottom: Array) -> Array:
        weight, bias = blobs
        top = np.empty((2, 3, 6))
        for n, c, o in np.ndindex(top.shape):
            top[n, c, o] = bias[o] + sum(weight[o, i] * bottom[n, c].ravel()[i] for i in range(20))
        return top

    text = f"type: 'InnerProduct' inner_product_param {{ num_output: 6 axis: -2 {FILLERS} }}"
    layer = check_layer(text, [random_bottom(2, 3, 4, 5)], oracle)
    assert [tuple(blob.shape) for blob in layer.blobs] == [(6, 20), (6,)]


def test_transposed_weight_without_bias() -> None:
    text = (
        "type: 'InnerProduct' inner_product_param { num_output: 4 transpose: true bias_term: false"
        " weight_filler { type: 'xavier' } }"
    )
    layer = check_layer(text, [random_bottom(3, 2, 5)], lambda blobs, bottom: bottom.reshape(3, 10) @ blobs[0])
    assert [tuple(blob.shape) for blob in layer.blobs] == [(10, 4)]


def test_every_field_matters() -> None:
    text = f"type: 'InnerProduct' inner_product_param {{ num_output: 6 axis: 2 transpose: true {FILLERS} }}"
    assert_every_field_matters(text, random_bottom(2, 3, 4))
    assert_every_field_matters(
        "type: 'InnerProduct' inner_product_param { num_output: 2 bias_term: false weight_filler { type: 'msra' } }",
        random_bottom(2, 3),
    )


def test_refuses_another_number_of_inputs() -> None:
    layer = build("name: 'fc' type: 'InnerProduct' inner_product_param { num_output: 6 }", (2, 3))
    with pytest.raises(ShapeError, match=r"^layer 'fc' \(InnerProduct\): expected 3 inputs from axis 1 on, got 4"):
        layer(random_bottom(2, 4))


def test_refuses_no_outputs() -> None:
    with pytest.raises(FieldError, match=r"^layer 'fc' \(InnerProduct\): expected num_output above 0, got \[0\]"):
        build("name: 'fc' type: 'InnerProduct' inner_product_param { }", (2, 3))
