"""Demo photographs like those of WIDER-Attribute, with attributes that different parts of the picture decide.

A person is a digit (the head: 0 or 1) over another (the body: 2 or 3), with a box around both. Beside a person, a cell
away from the box, lies a 4, a 5, or nothing. Digits 6 to 9 in a banner at the top, far from all people, tell the scene.

| attributes | decided by |
|---|---|
| head_0, body_2 | the person's box |
| beside_4, beside_5 | what lies beside the person, outside of the box |
| near_0, near_2 | the heads and bodies of the other people in the photograph |
| indoors, festive | the scene |
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from caffe_compat.experiments.compared.people import LabelledPerson, PeopleForm, Photograph, write_people
from caffe_compat.experiments.compared.person_regions import Corners
from caffe_compat.srn.datasets.digits import Digits, digits_of
from caffe_compat.srn.datasets.layout import SPLITS

CELL = 8  # pixels: scikit-learn's digits at their own size
GRID = 17  # cells a side
HEADS, BODIES, THINGS, BANNERS = (0, 1), (2, 3), (4, 5), (6, 7, 8, 9)
#: Cells (row, column) of heads: so far apart that no region around a person shows another or what lies beside it.
PLACES = tuple((row, column) for row in (6, 11) for column in (2, 8, 14))
BESIDE = 2  # cells between a person and what lies beside: one cell is free
PEOPLE = (2, 3)  # in every second photograph
BANNER_DIGITS = 4
#: Photographs of each split where nothing else is asked for.
PHOTOGRAPHS = {"train": 200, "val": 40, "test": 200}
CONTRAST = (0.6, 0.9)
BACKGROUND = 0.25
NOISE = 0.06

CLASS_NAMES = ("head_0", "body_2", "beside_4", "beside_5", "near_0", "near_2", "indoors", "festive")
#: The attributes that each part of the picture decides.
GROUPS = {"box": slice(0, 2), "beside": slice(2, 4), "people near": slice(4, 6), "scene": slice(6, 8)}
FORM = PeopleForm(
    CLASS_NAMES, scenes=len(BANNERS), side=CELL * GRID, crop_side=48, part_rows=2, part_columns=1, neighbours=2
)

Cell = tuple[int, int]
Drawn = list[tuple[int, Cell]]  # digits and their cells (row, column)


def write_people_scenes(folder: Path, numbers: Mapping[str, int], seed: int) -> None:
    """Writes as many photographs for each split as `numbers` says into a new folder.

    Digits of one split appear in no other.
    """
    splits = {split: draw_photographs(split, number, seed) for split, number in numbers.items()}
    write_people(folder, splits, FORM)


def people_in(photographs: int) -> int:
    """The number of people in as many photographs."""
    return sum(PEOPLE[ordinal % len(PEOPLE)] for ordinal in range(photographs))


def draw_photographs(split: str, number: int, seed: int) -> Iterator[Photograph]:
    """`number` photographs of a split."""
    random, digits = np.random.default_rng([seed, SPLITS.index(split)]), digits_of(split)
    for ordinal in range(number):
        yield _photograph(f"{ordinal:05d}", PEOPLE[ordinal % len(PEOPLE)], digits, random)


def _photograph(name: str, count: int, digits: Digits, random: np.random.Generator) -> Photograph:
    scene = int(random.integers(len(BANNERS)))
    places = [PLACES[place] for place in random.permutation(len(PLACES))[:count].tolist()]
    bodies = [(int(random.choice(HEADS)), int(random.choice(BODIES))) for _ in places]
    things = [int(random.choice((0, *THINGS))) for _ in places]  # 0: nothing
    drawn = _banner(scene, random)
    for (row, column), (head, body), thing in zip(places, bodies, things, strict=True):
        drawn += [(head, (row, column)), (body, (row + 1, column))]
        if thing:
            side = int(random.choice((-BESIDE, BESIDE)))
            drawn.append((thing, (row + int(random.integers(2)), column + side)))
    people = [
        LabelledPerson(_box(place), _labels(number, bodies, things[number], scene))
        for number, place in enumerate(places)
    ]
    return Photograph(name, _draw(drawn, digits, random), scene, people)


def _banner(scene: int, random: np.random.Generator) -> Drawn:
    columns = random.permutation(GRID)[:BANNER_DIGITS].tolist()
    return [(BANNERS[scene], (int(random.integers(2)), column)) for column in columns]


def _box(place: Cell) -> Corners:
    top, left = (CELL * cell for cell in place)
    return Corners(left, top, left + CELL - 1, top + 2 * CELL - 1)


def _labels(number: int, bodies: list[tuple[int, int]], thing: int, scene: int) -> list[int]:
    head, body = bodies[number]
    others = bodies[:number] + bodies[number + 1 :]
    return [
        int(head == HEADS[0]),
        int(body == BODIES[0]),
        int(thing == THINGS[0]),
        int(thing == THINGS[1]),
        int(any(other == HEADS[0] for other, _ in others)),
        int(any(other == BODIES[0] for _, other in others)),
        scene & 1,
        scene >> 1,
    ]


def _draw(drawn: Drawn, digits: Digits, random: np.random.Generator) -> "np.typing.NDArray[np.uint8]":
    plane = np.full((CELL * GRID, CELL * GRID), BACKGROUND)
    for digit, (row, column) in drawn:
        top, left = CELL * row, CELL * column
        plane[top : top + CELL, left : left + CELL] += random.choice(digits[digit]) * random.uniform(*CONTRAST)
    plane += NOISE * random.standard_normal(plane.shape)
    return np.repeat((255 * np.clip(plane, 0, 1)).astype(np.uint8)[..., None], 3, axis=2)
