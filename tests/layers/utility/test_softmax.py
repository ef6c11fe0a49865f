"""Softmax against its definition."""

import numpy as np
import torch

from tests.layers.harness import assert_every_field_matters, build, check_layer, random_bottom

TEXT = "type: 'Softmax' softmax_param { axis: -1 engine: CAFFE }"


def test_sums_to_one_along_the_axis() -> None:
    check_layer(TEXT, [random_bottom(2, 3, 5)], lambda _, x: np.exp(x) / np.exp(x).sum(2, keepdims=True))
    check_layer("type: 'Softmax'", [random_bottom(2, 3, 5)], lambda _, x: np.exp(x) / np.exp(x).sum(1, keepdims=True))
    assert_every_field_matters(TEXT, random_bottom(2, 3, 5), without_effect=["engine"])


def test_is_stable() -> None:
    bottom = torch.tensor([[1000.0, 1000.0]])
    assert build("type: 'Softmax'", bottom)(bottom).tolist() == [[0.5, 0.5]]
