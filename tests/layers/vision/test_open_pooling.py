"""Pooling for sizes that a compiler leaves open gives what pooling for known sizes gives."""

from itertools import product

import pytest
import torch

from caffe_compat.layers.vision.open_pooling import open_average_pool, open_max_pool
from caffe_compat.layers.vision.pooling import average_pool, max_pool
from caffe_compat.layers.windows import PoolingWindow


@pytest.mark.parametrize("round_up", [True, False])
@pytest.mark.parametrize("pad", [0, 1])
def test_every_window_is_the_same(pad: int, round_up: bool) -> None:
    generator = torch.Generator().manual_seed(4)
    for size, kernel, stride in product((5, 8, 9), (2, 3), (1, 2, 4)):
        window = PoolingWindow((kernel, kernel), (stride, stride), (pad, pad), round_up)
        images = torch.randn(2, 3, size, size + 2, generator=generator)

        assert torch.equal(open_max_pool(images, window), max_pool(images, window))
        wanted = average_pool(images, window)  # not a number where a window is empty, as in Caffe
        torch.testing.assert_close(open_average_pool(images, window), wanted, equal_nan=True)
