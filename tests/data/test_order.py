"""The order of records."""

import numpy as np

from caffe_compat.data.order import Order, permutation, random_skip


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
