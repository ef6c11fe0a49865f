"""ROIWarping against the loops of MNC."""

import math

import numpy as np
import pytest
import torch

from caffe_compat.errors import FieldError
from tests.layers.harness import Array, assert_every_field_matters, build, check_layer, random_bottom
from tests.layers.vision.test_roi_pooling import REGIONS, c_round

TEXT = "name: 'roi' type: 'ROIWarping' roi_warping_param { pooled_h: 3 pooled_w: 2 spatial_scale: 0.5 }"


def between(plane: Array, y: float, x: float) -> float | None:
    height, width = plane.shape
    if not (-0.5 <= y <= height - 0.5 and -0.5 <= x <= width - 0.5):
        return None
    y, x = min(max(y, 0), height - 1), min(max(x, 0), width - 1)
    low_y, low_x = math.floor(y), math.floor(x)
    high_y, high_x = min(low_y + 1, height - 1), min(low_x + 1, width - 1)
    upper = plane[low_y, low_x] * (1 - x + low_x) + plane[low_y, high_x] * (x - low_x)
    lower = plane[high_y, low_x] * (1 - x + low_x) + plane[high_y, high_x] * (x - low_x)
    return float(upper * (1 - y + low_y) + lower * (y - low_y))


def places(start: float, extent: float, bins: int, index: int) -> list[float]:
    steps, found, fraction = math.ceil(extent / bins), [], float(index)
    while fraction <= index + 1:
        found.append(start + fraction * (extent / bins))
        fraction += 1 / steps if steps else math.inf
    return found


def loop(_: list[Array], features: Array, regions: Array) -> Array:
    top = np.zeros((len(regions), features.shape[1], 3, 2))
    for r, c, i, j in np.ndindex(top.shape):
        left, upper, right, lower = (c_round(value * 0.5) for value in regions[r, 1:5])
        rows = places(upper, max(lower - upper, 0), 3, i)
        columns = places(left, max(right - left, 0), 2, j)
        plane = features[int(regions[r, 0]), c]
        values = [value for y in rows for x in columns if (value := between(plane, y, x)) is not None]
        top[r, c, i, j] = max(values, default=0.0)
    return top


def test_bins_of_regions() -> None:
    check_layer(TEXT, [random_bottom(2, 3, 6, 8), REGIONS], loop)


def test_no_region_and_no_number() -> None:
    layer = build(TEXT, (2, 3, 6, 8), (4, 5))
    features = random_bottom(2, 3, 6, 8)
    assert layer(features, torch.zeros(0, 5, dtype=torch.float64)).shape == (0, 3, 3, 2)
    nowhere = torch.tensor([[1.0, float("nan"), 2, 3, 4]], dtype=torch.float64)
    assert not layer(features, nowhere).any()


def test_every_field_matters() -> None:
    assert_every_field_matters(TEXT, random_bottom(2, 3, 6, 8), REGIONS)


def test_refuses_no_bins() -> None:
    with pytest.raises(FieldError, match=r"^layer 'roi' .* expected pooled_h and pooled_w above 0, got \[0, 2\]"):
        build("name: 'roi' type: 'ROIWarping' roi_warping_param { pooled_w: 2 }", (2, 3, 6, 8), (4, 5))
