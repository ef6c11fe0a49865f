"""Regions of a person: overlap by counting pixels, windows within bounds, parts and neighbours."""

import numpy as np
import pytest

from caffe_compat.experiments.compared.person_regions import (
    OVERLAP,
    Corners,
    around,
    grid_parts,
    nearest_people,
    overlap,
)

SIDE = 60


def mask(box):
    """The pixels of a box of whole numbers."""
    pixels = np.zeros((SIDE, SIDE), bool)
    left, top, right, bottom = (int(value) for value in box)
    pixels[max(top, 0) : bottom + 1, max(left, 0) : right + 1] = True
    return pixels


@pytest.mark.parametrize("seed", range(6))
def test_overlap_is_counted_in_pixels(seed):
    random = np.random.default_rng(seed)
    first, second = (Corners(*np.sort(random.integers(0, SIDE, (2, 2)), axis=0).ravel().tolist()) for _ in range(2))
    common, either = (mask(first) & mask(second)).sum(), (mask(first) | mask(second)).sum()
    assert overlap(first, second) == pytest.approx(common / either)
    assert overlap(first, first) == 1


def test_regions_around_a_person_overlap_it_within_bounds():
    person = Corners(20, 24, 27, 39)
    regions = around(person, SIDE, 10)
    assert len(set(regions)) == 10
    for region in regions:
        assert OVERLAP[0] <= overlap(region, person) <= OVERLAP[1]
        assert 0 <= region.left <= region.right < SIDE
        assert 0 <= region.top <= region.bottom < SIDE
    ends = np.array(regions)
    assert ends.min(0).tolist()[:2] == [4, 8]  # two widths to the left, one height up
    assert ends.max(0).tolist()[2:] == [43, 55]


def test_regions_are_cut_at_the_border_and_repeated_where_they_are_few():
    whole = Corners(0, 0, SIDE - 1, SIDE - 1)
    assert around(whole, SIDE, 3) == [whole] * 3
    corner = Corners(0, 0, 19, 19)
    regions = around(corner, SIDE, 40)
    assert len(regions) == 40
    assert regions[: len(set(regions))] == list(dict.fromkeys(regions))
    assert all(region.left >= 0 and region.top >= 0 for region in regions)


def test_parts_of_a_grid_tile_the_box():
    box = Corners(10, 20, 21, 49)
    parts = grid_parts(box, 3, 2)
    assert parts[0] == Corners(10, 20, 15, 29)
    assert parts[3] == Corners(16, 30, 21, 39)
    assert sum(mask(part).astype(int) for part in parts).tolist() == mask(box).astype(int).tolist()


def test_the_nearest_people_come_first_and_are_repeated():
    people = [Corners(left, 0, left + 9, 19) for left in (0, 40, 12, 90)]
    assert nearest_people(people, 0, 2) == [2, 1]
    assert nearest_people(people, 0, 5) == [2, 1, 3, 2, 1]
    assert nearest_people(people[:1], 0, 2) == [0, 0]
