"""Random numbers by place."""

import numpy as np
import pytest

from caffe_compat.data.draws import (
    Box,
    CentreCrop,
    Crop,
    Draws,
    DrawsByPlace,
    Order,
    TrainCrop,
    draws_matter,
    draws_needed,
    fresh_seed,
    multi_scale_sizes,
    original_image_test,
    original_image_train,
    permutation,
    random_skip,
    whole,
)


def rows(draws: list[Draws], count: int) -> list[list[int]]:
    return [[one.below(2**32) for _ in range(count)] for one in draws]


def test_below_takes_the_remainder_and_uniform_the_share() -> None:
    draws = Draws([17, 2**31, 3])
    assert draws.below(5) == 2
    assert draws.uniform(-1.0, 3.0) == 1.0
    assert draws.below(2) == 1


def test_draws_depend_on_seed_layer_and_place_alone() -> None:
    first = rows(DrawsByPlace(7, "data", 3).batch(40, 5), 3)
    assert first == rows(DrawsByPlace(7, "data", 3).batch(40, 5), 3)
    assert first != rows(DrawsByPlace(8, "data", 3).batch(40, 5), 3)
    assert first != rows(DrawsByPlace(7, "label", 3).batch(40, 5), 3)
    assert first != rows(DrawsByPlace(7, "data", 3).batch(45, 5), 3)
    assert len({number for row in first for number in row}) == 15


def test_items_without_draws_cost_none() -> None:
    assert len(DrawsByPlace(7, "data", 0).batch(0, 4)) == 4


def test_fresh_seeds_differ() -> None:
    assert fresh_seed() != fresh_seed()


def test_goes_round_in_order() -> None:
    assert Order(3).ordinals(0, 7) == [0, 1, 2, 0, 1, 2, 0]
    assert Order(3, skip=2).ordinals(1, 4) == [0, 1, 2, 0]


def test_shuffles_anew_every_epoch() -> None:
    order = Order(11, seed=4, shuffle=True)
    epochs = [order.ordinals(11 * epoch, 11) for epoch in range(3)]
    assert all(sorted(epoch) == list(range(11)) for epoch in epochs)
    assert epochs[0] != epochs[1] != epochs[2]
    assert order.ordinals(8, 9) == (epochs[0] + epochs[1])[8:17]


def test_equal_seeds_and_lengths_are_in_step() -> None:
    assert Order(11, 4, True).ordinals(5, 20) == Order(11, 4, True).ordinals(5, 20)
    assert Order(11, 4, True).ordinals(0, 11) != Order(11, 5, True).ordinals(0, 11)


def test_processes_share_out_the_records() -> None:
    alone = Order(10, 2, True).ordinals(0, 12)
    shares = [Order(10, 2, True, rank, 3).ordinals(0, 4) for rank in range(3)]
    assert [list(item) for item in zip(*shares, strict=True)] == np.reshape(alone, (4, 3)).tolist()
    assert Order(10, 2, True, 2, 3, skip=1).place(4) == 15


def test_permutations_are_shared() -> None:
    assert permutation(9, 1, 2) is permutation(9, 1, 2)


def test_random_skip_is_below_its_limit() -> None:
    skips = {random_skip(4, seed) for seed in range(40)}
    assert skips == {0, 1, 2, 3}
    assert random_skip(0, 5) == 0


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


@pytest.mark.parametrize(
    ("crop", "height", "width", "expected"),
    [
        (TrainCrop(6), 6, 6, False),
        (TrainCrop(6, fix_crop=True), 6, 6, False),
        (TrainCrop(6), 6, 7, True),
        (TrainCrop(6), 8, 6, True),
        (TrainCrop(6, multi_scale=True), 6, 6, True),
        (CentreCrop(6), 8, 9, False),
        (whole, 8, 9, False),
        (original_image_train, 6, 6, True),
        (original_image_test, 6, 6, False),
    ],
)
def test_crops_of_an_image_differ_if_there_is_room(crop: Crop, height: int, width: int, expected: bool) -> None:
    assert draws_matter(crop, height, width) is expected
    numbers = np.random.default_rng(3).integers(0, 2**32, (30, 40)).tolist()
    boxes = {crop(height, width, Draws(row)) for row in numbers}
    assert (len(boxes) > 1) is expected


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
