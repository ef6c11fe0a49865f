"""PSROIPooling against the loops of R-FCN."""

import math

import numpy as np
import pytest
import torch

from caffe_compat.errors import FieldError, ShapeError
from tests.layers.harness import Array, assert_every_field_matters, build, check_layer, random_bottom
from tests.layers.vision.test_roi_pooling import REGIONS, c_round

FIELDS = "output_dim: 3 group_size: 2 spatial_scale: 0.5"
TEXT = f"name: 'roi' type: 'PSROIPooling' psroi_pooling_param {{ {FIELDS} }}"


def loop(_: list[Array], features: Array, regions: Array) -> Array:
    height, width = features.shape[2:]
    regions = regions.reshape(-1, 5)
    top = np.zeros((len(regions), 3, 2, 2))
    for r, c, y, x in np.ndindex(top.shape):
        left, upper = (c_round(value) * 0.5 for value in regions[r, 1:3])
        right, lower = ((c_round(value) + 1) * 0.5 for value in regions[r, 3:5])
        step_y, step_x = max(lower - upper, 0.1) / 2, max(right - left, 0.1) / 2
        rows = range(max(math.floor(y * step_y + upper), 0), min(math.ceil((y + 1) * step_y + upper), height))
        columns = range(max(math.floor(x * step_x + left), 0), min(math.ceil((x + 1) * step_x + left), width))
        channel = (c * 2 + y) * 2 + x
        values = [features[int(regions[r, 0]), channel, row, column] for row in rows for column in columns]
        top[r, c, y, x] = sum(values) / len(values) if values else 0.0
    return top


@pytest.mark.parametrize("shape", [(5, 5), (5, 5, 1, 1)])
def test_bins_of_regions(shape: tuple[int, ...]) -> None:
    check_layer(TEXT, [random_bottom(2, 12, 6, 8), REGIONS.reshape(shape)], loop)


def test_no_region() -> None:
    layer = build(TEXT, (2, 12, 6, 8), (4, 5))
    assert layer(random_bottom(2, 12, 6, 8), torch.zeros(0, 5, dtype=torch.float64)).shape == (0, 3, 2, 2)


def test_every_field_matters() -> None:
    assert_every_field_matters(TEXT, random_bottom(2, 12, 6, 8), REGIONS)


def test_refuses_what_does_not_fit() -> None:
    with pytest.raises(FieldError, match=r"^layer 'roi' .* expected output_dim and group_size above 0, got \[3, 0\]"):
        build("name: 'roi' type: 'PSROIPooling' psroi_pooling_param { output_dim: 3 }", (2, 12, 6, 8), (4, 5))
    layer = build(TEXT, (2, 12, 6, 8), (4, 5))
    with pytest.raises(
        ShapeError, match=r"^layer 'roi' .* expected 12 channels \(output_dim x group_size x .*, got 11$"
    ):
        layer.top_shapes((2, 11, 6, 8), (4, 5))
