"""Values between the places of an axis."""

import torch

from caffe_compat.layers.vision.interpolation import linear_weights, scaled_size


def test_places_within_at_and_outside_of_the_ends() -> None:
    places = torch.tensor([-0.6, -0.5, 0.25, 2.0, 2.5, 2.6])
    assert linear_weights(places, 3).tolist() == [
        [0, 0, 0], [1, 0, 0], [0.75, 0.25, 0], [0, 0, 1], [0, 0, 1], [0, 0, 0],
    ]  # fmt: skip


def test_one_place() -> None:
    assert linear_weights(torch.tensor([0.0, 0.5, 0.75]), 1).tolist() == [[1], [1], [0]]


def test_sizes_are_multiplied_in_single_precision() -> None:
    assert scaled_size(10, 0.7) == 7  # 6.9999998 in double precision, as 0.7 is no number of float32
    assert scaled_size(5, 0.5) == 2
