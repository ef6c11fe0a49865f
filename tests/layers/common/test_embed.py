"""Embed against plain loops."""

import numpy as np
import pytest
import torch

from caffe_compat.errors import DataError, FieldError
from tests.layers.harness import Array, assert_every_field_matters, build, check_layer

FILLERS = "weight_filler { type: 'gaussian' std: 0.5 } bias_filler { type: 'uniform' min: -1 max: 2 }"
TEXT = f"name: 'words' type: 'Embed' embed_param {{ input_dim: 7 num_output: 3 {FILLERS} }}"
INDICES = torch.tensor([[0, 6, 2, 2], [5, 1, 6, 0]], dtype=torch.float64)


@pytest.mark.parametrize("has_bias", [True, False])
def test_looks_up_rows(has_bias: bool) -> None:
    def oracle(blobs: list[Array], bottom: Array) -> Array:
        top = np.empty((2, 4, 3))
        for n, t in np.ndindex(2, 4):
            top[n, t] = blobs[0][int(bottom[n, t])] + (blobs[1] if has_bias else 0)
        return top

    text = TEXT if has_bias else TEXT.replace("num_output: 3", "num_output: 3 bias_term: false")
    layer = check_layer(text, [INDICES], oracle)
    assert [tuple(blob.shape) for blob in layer.blobs] == [(7, 3), (3,)][: 1 + has_bias]


def test_every_field_matters() -> None:
    assert_every_field_matters(TEXT, INDICES)
    without_bias = (
        "type: 'Embed' embed_param { input_dim: 7 num_output: 3 bias_term: false weight_filler { type: 'msra' } }"
    )
    assert_every_field_matters(without_bias, INDICES)


def test_refuses_no_rows() -> None:
    with pytest.raises(FieldError, match=r"^layer 'words' .* expected input_dim and num_output above 0, got \[0, 3\]"):
        build(TEXT.replace("input_dim: 7", ""), INDICES)


@pytest.mark.parametrize("index", [7, -1])
def test_refuses_indices_outside(index: int) -> None:
    with pytest.raises(DataError, match=r"^layer 'words' \(Embed\): expected indices from 0 to 6, got"):
        build(TEXT, INDICES)(torch.full((2, 4), float(index)))
