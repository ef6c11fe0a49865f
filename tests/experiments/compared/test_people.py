"""Folders of photographs with people, and the demo's photographs."""

import json

import cv2
import numpy as np
import pytest

from caffe_compat.data.sources.datums import parse_datum
from caffe_compat.data.sources.lmdb import Lmdb
from caffe_compat.errors import DataError
from caffe_compat.experiments.compared import people_scenes
from caffe_compat.experiments.compared.people import (
    LabelledPerson,
    PeopleForm,
    Photograph,
    read_people,
    read_sizes,
    write_people,
)
from caffe_compat.experiments.compared.people_scores import region_rows
from caffe_compat.experiments.compared.person_regions import Corners, around, overlap
from tests.data.made_files import read_picture

FORM = PeopleForm(("hat", "bag", "tie"), 4, side=60, crop_side=12, around=5, part_rows=1, part_columns=2, neighbours=2)
KINDS = {"person": 1, "around": 5, "part": 2, "neighbour": 4}


def photographs():
    """Two photographs of 120 x 240 pixels, twice as wide as high, with two people and one."""
    random = np.random.default_rng(4)
    for name, people in (("one", 2), ("two", 1)):
        pixels = random.integers(0, 256, (120, 240, 3), dtype=np.uint8)
        boxes = [Corners(40 * number, 20, 40 * number + 31, 79) for number in range(people)]
        yield Photograph(name, pixels, people, [LabelledPerson(box, (1, 0, -1)) for box in boxes])


@pytest.fixture
def folder(tmp_path):
    write_people(tmp_path / "data", {"train": photographs(), "test": photographs()}, FORM)
    return tmp_path / "data"


def records(folder, kind):
    source = Lmdb(str(folder / f"test_{kind}_lmdb"), "the test")
    return [source.record(ordinal) for ordinal in range(len(source))]


def test_databases_are_in_step_and_hold_the_regions(folder):
    keys = [record.key for record in records(folder, "label")]
    assert keys == [b"00000000_test/one_0.png", b"00000001_test/one_1.png", b"00000002_test/two_0.png"]
    people = read_people(folder, "test")
    for kind in (*KINDS, "photo", "image", "scene"):
        assert [record.key for record in records(folder, kind)] == keys
    for kind, count in KINDS.items():
        for record, person in zip(records(folder, kind), people, strict=True):
            values = list(parse_datum(record.value, kind).float_data)
            assert np.allclose(np.reshape(values, (count, 4)), person["regions"][kind])
    assert [list(parse_datum(one.value, "scene").float_data) for one in records(folder, "scene")] == [[2], [2], [1]]


def test_boxes_are_those_of_the_stored_photograph(folder):
    """240 x 120 pixels become 60 x 60: a quarter across, a half down."""
    regions = read_people(folder, "test")[1]["regions"]
    assert regions["person"] == [[10, 10, 17, 39]]
    assert regions["part"] == [[10, 10, 13, 39], [14, 10, 17, 39]]
    assert regions["neighbour"] == [[0, 10, 3, 39]] * 2 + [[4, 10, 7, 39]] * 2
    assert [Corners(*box) for box in regions["around"]] == around(Corners(10, 10, 17, 39), 60, 5)
    alone = read_people(folder, "test")[2]["regions"]
    assert alone["neighbour"] == [alone["part"][0]] * 2 + [alone["part"][1]] * 2


def test_crops_are_for_the_rows_that_read_whole_images(folder):
    assert (folder / "test_imglist.txt").read_text().splitlines() == [
        f"test/{n}.png 1" for n in ("one_0", "one_1", "two_0")
    ]
    assert (folder / "test_labels.txt").read_text() == "1 0 -1\n" * 3
    source = next(photographs())
    crop = read_picture(folder / "images" / "test" / "one_1.png")
    expected = cv2.resize(source.pixels[20:80, 40:72], (12, 12), interpolation=cv2.INTER_LINEAR)
    assert np.array_equal(crop, expected)
    assert read_picture(folder / "photos" / "test" / "two.png").shape == (60, 60, 3)
    assert read_sizes(folder) == {"around": 5, "parts": 2, "neighbours": 2, "scenes": 4, "side": 60}


def test_given_parts_take_the_place_of_the_grid(tmp_path):
    (photograph, *_) = photographs()
    person = photograph.people[0]
    given = [Corners(0, 20, 7, 27), Corners(8, 20, 15, 27)]
    first = photograph._replace(people=[person._replace(parts=given)])
    write_people(tmp_path / "given", {"test": [first]}, FORM)
    assert read_people(tmp_path / "given", "test")[0]["regions"]["part"] == [[0, 10, 1, 13], [2, 10, 3, 13]]
    wrong = photograph._replace(people=[person._replace(parts=given[:1])])
    with pytest.raises(DataError, match=r"^expected 2 parts of each person, as the form says, found 1"):
        write_people(tmp_path / "wrong", {"test": [wrong]}, FORM)
    assert not (tmp_path / "wrong").exists()
    outside = photograph._replace(people=[person._replace(box=Corners(300, 0, 310, 10))])
    with pytest.raises(DataError, match=r"^photograph 'one': expected the box of a person inside it, found \(300, 0"):
        write_people(tmp_path / "wrong", {"test": [outside]}, FORM)


def test_rows_of_regions_come_region_by_region(folder):
    people = read_people(folder, "test")
    rows = region_rows(people, ("person", "part", "whole"), 60)
    assert rows[:, 0].tolist() == [0, 1, 2] * 4
    assert rows[4, 1:].tolist() == people[1]["regions"]["part"][0]
    assert rows[8, 1:].tolist() == people[2]["regions"]["part"][1]
    assert rows[9:, 1:].tolist() == [[0, 0, 59, 59]] * 3


def test_the_demos_attributes_follow_from_their_part_of_the_picture(tmp_path):
    people_scenes.write_people_scenes(tmp_path / "data", {"train": 30, "test": 12}, 3)
    people = read_people(tmp_path / "data", "train")
    labels = np.loadtxt(tmp_path / "data" / "train_labels.txt", int)
    assert labels.shape == (len(people), 8) == (people_scenes.people_in(30), 8)
    by_photo: dict[str, list[list[int]]] = {}
    for person, row in zip(people, labels.tolist(), strict=True):
        by_photo.setdefault(person["photo"], []).append(row)
        assert row[6:] == [person["scene"] & 1, person["scene"] >> 1]
        assert not (row[2] and row[3])
    for rows in by_photo.values():
        assert len(rows) in people_scenes.PEOPLE
        for number, row in enumerate(rows):
            others = rows[:number] + rows[number + 1 :]
            assert row[4] == int(any(other[0] for other in others))
            assert row[5] == int(any(other[1] for other in others))


def test_no_region_around_a_person_shows_anothers_things_or_the_banner():
    """The cells that the features of a region see, with one more on each side for their field of 15 pixels."""
    cell = people_scenes.CELL
    for row, column in people_scenes.PLACES:
        box = Corners(cell * column, cell * row, cell * column + 7, cell * row + 15)
        own = {column + shift for shift in range(-2, 3)}
        for region in around(box, people_scenes.FORM.side, people_scenes.FORM.around):
            assert overlap(region, box) >= 0.2
            first, last = int(region.left) // cell - 1, int(region.right) // cell + 1
            top, bottom = int(region.top) // cell - 1, int(region.bottom) // cell + 1
            assert top > 1  # the banner's rows are 0 and 1
            for other_row, other_column in set(people_scenes.PLACES) - {(row, column)}:
                rows_meet = top <= other_row + 1 and bottom >= other_row
                seen = {c for c in range(other_column - 2, other_column + 3) if first <= c <= last} - own
                assert not (rows_meet and seen)


def test_the_demos_regions_file_is_read_by_the_generator(tmp_path):
    people_scenes.write_people_scenes(tmp_path / "data", {"train": 2}, 3)
    sizes = json.loads((tmp_path / "data" / "regions.json").read_text())
    assert sizes == {"around": 10, "parts": 2, "neighbours": 2, "scenes": 4, "side": 136}
