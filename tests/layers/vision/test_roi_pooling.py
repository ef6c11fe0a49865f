"""ROIPooling against the loops of Fast R-CNN."""

import math

import numpy as np
import pytest
import torch

from caffe_compat.errors import FieldError, ShapeError
from tests.layers.harness import Array, assert_every_field_matters, build, check_layer, random_bottom

TEXT = "name: 'roi' type: 'ROIPooling' roi_pooling_param { pooled_h: 3 pooled_w: 2 spatial_scale: 0.5 }"
#: Halves, regions over the edge, one of a single place, one outside, one upside down.
REGIONS = torch.tensor(
    [[0, 1, 2, 13, 9], [1, -3, 5, 40, 11], [1, 4, 4, 4, 4], [0, 90, 90, 99, 99], [1, 9, 9, 2, 3]], dtype=torch.float64
)


def c_round(value: float) -> int:
    return int(math.copysign(math.floor(abs(value) + 0.5), value))


def loop(_: list[Array], features: Array, regions: Array) -> Array:
    height, width = features.shape[2:]
    regions = regions.reshape(-1, 5)
    top = np.zeros((len(regions), features.shape[1], 3, 2))
    for r, c, y, x in np.ndindex(top.shape):
        left, upper, right, lower = (c_round(value * 0.5) for value in regions[r, 1:5])
        step_y, step_x = max(lower - upper + 1, 1) / 3, max(right - left + 1, 1) / 2
        rows = range(max(math.floor(y * step_y) + upper, 0), min(math.ceil((y + 1) * step_y) + upper, height))
        columns = range(max(math.floor(x * step_x) + left, 0), min(math.ceil((x + 1) * step_x) + left, width))
        values = [features[int(regions[r, 0]), c, row, column] for row in rows for column in columns]
        top[r, c, y, x] = max(values, default=0.0)
    return top


@pytest.mark.parametrize("shape", [(5, 5), (5, 5, 1, 1)])
def test_bins_of_regions(shape: tuple[int, ...]) -> None:
    check_layer(TEXT, [random_bottom(2, 3, 6, 8), REGIONS.reshape(shape)], loop)


def test_gradient_goes_to_the_first_of_equal_maxima() -> None:
    features = torch.zeros(1, 1, 2, 3, dtype=torch.float64, requires_grad=True)
    region = torch.tensor([[0.0, 0, 0, 2, 1]], dtype=torch.float64)
    layer = build("type: 'ROIPooling' roi_pooling_param { pooled_h: 1 pooled_w: 1 }", features, region)
    layer(features, region).sum().backward()
    assert features.grad is not None
    assert features.grad.flatten().tolist() == [1, 0, 0, 0, 0, 0]


def test_every_field_matters() -> None:
    assert_every_field_matters(TEXT, random_bottom(2, 3, 6, 8), REGIONS)


def test_refuses_no_bins() -> None:
    with pytest.raises(FieldError, match=r"^layer 'roi' .* expected pooled_h and pooled_w above 0, got \[0, 2\]"):
        build("name: 'roi' type: 'ROIPooling' roi_pooling_param { pooled_w: 2 }", (2, 3, 6, 8), (4, 5))


@pytest.mark.parametrize(
    ("regions", "message"),
    [
        ([[0.0, 1, 2, 3]], r"expected 5 numbers a region \(index, x1, y1, x2, y2\), got 4"),
        ([[2.0, 1, 2, 3, 4]], r"expected image indices from 0 to 1, got \[2\]"),
    ],
)
def test_refuses_regions(regions: list[list[float]], message: str) -> None:
    layer = build(TEXT, (2, 3, 6, 8), (1, 5))
    with pytest.raises(ShapeError, match=rf"^layer 'roi' \(ROIPooling\): {message}"):
        layer(random_bottom(2, 3, 6, 8), torch.tensor(regions, dtype=torch.float64))
