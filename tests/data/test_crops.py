"""Crops, against what the SRN fork's source says, worked out by hand."""

import numpy as np
import pytest

from caffe_compat.data.crops import (
    Box,
    CentreCrop,
    TrainCrop,
    draws_needed,
    multi_scale_sizes,
    original_image_test,
    original_image_train,
    whole,
)
from caffe_compat.data.draws import Draws


def test_whole_and_centre() -> None:
    assert whole(7, 9, Draws()) == Box(0, 0, 7, 9)
    assert CentreCrop(4)(7, 11, Draws()) == Box(1, 3, 4, 4)


def test_random_place() -> None:
    assert TrainCrop(4)(7, 11, Draws([13, 15])) == Box(13 % 4, 15 % 8, 4, 4)


@pytest.mark.parametrize(("draw", "offset"), list(enumerate([(0, 0), (0, 8), (4, 0), (4, 8), (2, 4)])))
def test_five_fixed_places(draw: int, offset: tuple[int, int]) -> None:
    crop = TrainCrop(10, fix_crop=True)
    assert crop(17, 20, Draws([draw])) == Box(*offset, 10, 10)  # quarters of 7 and 10: 1 and 2


def test_thirteen_fixed_places() -> None:
    crop = TrainCrop(10, fix_crop=True, more_fix_crop=True)
    offsets = {tuple(crop(17, 20, Draws([draw]))[:2]) for draw in range(13)}
    middle = {(0, 4), (4, 4), (2, 0), (2, 8)}
    quarters = {(1, 2), (1, 6), (3, 2), (3, 6)}
    assert offsets == {(0, 0), (0, 8), (4, 0), (4, 8), (2, 4)} | middle | quarters


def test_sizes_of_the_paper() -> None:
    ratios = (1.0, 0.875, 0.75, 0.66, 0.5)
    sizes = multi_scale_sizes(256, 224, ratios, 4)
    assert {side for pair in sizes for side in pair} == {256, 224, 192, 168, 128}
    assert len(sizes) == 25
    assert len(multi_scale_sizes(256, 224, ratios, 1)) == 13


@pytest.mark.parametrize(("crop_size", "snapped"), [(221, 224), (222, 222), (226, 226), (227, 224)])
def test_near_sizes_become_crop_size(crop_size: int, snapped: int) -> None:
    assert multi_scale_sizes(256, crop_size, (0.875,), 1) == ((snapped, snapped),)


def test_multi_scale_draws_size_then_place() -> None:
    crop = TrainCrop(5, multi_scale=True, scale_ratios=(1.0, 0.5), max_distort=0, fix_crop=True)
    assert crop(20, 24, Draws([1, 3])) == Box(8, 12, 10, 10)  # free 10 and 14, quarters 2 and 3
    default = TrainCrop(8, multi_scale=True)
    assert default(100, 120, Draws([0, 0, 0])) == Box(0, 0, 100, 100)


def test_original_image_at_test_is_the_middle() -> None:
    assert original_image_test(60, 100, Draws()) == Box(4, 7, 49, 84)


def test_original_image_takes_an_area_and_an_aspect() -> None:
    half, middle = 2**31, 2**31
    height, width = 40, 60
    area, aspect = 2400 * 0.54, 1.04
    box = original_image_train(height, width, Draws([half, middle, 3, 5]))
    assert box[2:] == (int(np.sqrt(area / aspect)), int(np.sqrt(area * aspect)))
    assert box[:2] == (3 % (40 - box.height), 5 % (60 - box.width))


def test_original_image_gives_up_after_ten_attempts() -> None:
    too_wide = [2**32 - 1, 2**32 - 1] * 10
    assert original_image_train(40, 40, Draws([*too_wide, 1, 2])) == Box(1, 2, 35, 35)


@pytest.mark.parametrize("height", [8, 33, 256])
def test_enough_draws_are_asked_for(height: int) -> None:
    generator = np.random.default_rng(0)
    crops = (whole, CentreCrop(5), TrainCrop(8, True, fix_crop=False), original_image_train, original_image_test)
    for crop in crops:
        for _ in range(20):
            crop(height, 41, Draws(generator.integers(2**32, size=draws_needed(crop)).tolist()))
