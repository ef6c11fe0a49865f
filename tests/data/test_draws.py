"""Random numbers by place."""

from caffe_compat.data.draws import Draws, DrawsByPlace, fresh_seed


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
