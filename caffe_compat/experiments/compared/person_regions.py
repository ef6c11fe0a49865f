"""Where the compared methods of table 3 look: regions of a photograph for each person in it.

Boxes are (left, top, right, bottom) in pixels, with both corners included, as ROIPooling reads them.
"""

from collections.abc import Iterator, Sequence
from itertools import product
from typing import NamedTuple, TypeVar

Item = TypeVar("Item")


class Corners(NamedTuple):
    """A box by its first and last pixel in each direction."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def area(self) -> float:
        """In pixels; 0 if the box is empty."""
        return max(self.right - self.left + 1, 0) * max(self.bottom - self.top + 1, 0)


#: R*CNN's bounds on the overlap of a region with the person (section 3 of its paper).
OVERLAP = (0.2, 0.75)
#: Widths and heights of regions around a person, in those of the person's box. Ours: R*CNN takes proposals of
#: selective search.
WIDTHS, HEIGHTS = (1, 2, 3), (1, 2)


def overlap(first: Corners, second: Corners) -> float:
    """The intersection of two boxes over their union."""
    left, top = max(first.left, second.left), max(first.top, second.top)
    right, bottom = min(first.right, second.right), min(first.bottom, second.bottom)
    common = Corners(left, top, right, bottom).area
    return common / (first.area + second.area - common)


def around(person: Corners, side: int, count: int) -> list[Corners]:
    """`count` regions of a photograph of `side` pixels whose overlap with the person lies within OVERLAP.

    The farthest come first, so that few regions still see all sides; where fewer exist, they are repeated. A person who
    fills the photograph has no such region, and gets the own box.
    """
    found = [region for region in dict.fromkeys(_windows(person, side)) if _is_within_bounds(region, person)]
    found.sort(key=lambda region: -_reach(region, person))
    return _repeated(found or [person], count)


def grid_parts(person: Corners, rows: int, columns: int) -> list[Corners]:
    """The person's box divided into `rows` x `columns` parts, row by row; DHC's poselets are not ours to detect."""
    width, height = (person.right - person.left + 1) / columns, (person.bottom - person.top + 1) / rows
    return [
        Corners(
            person.left + column * width,
            person.top + row * height,
            person.left + (column + 1) * width - 1,
            person.top + (row + 1) * height - 1,
        )
        for row, column in product(range(rows), range(columns))
    ]


def nearest_people(people: Sequence[Corners], number: int, count: int) -> list[int]:
    """The numbers of the `count` people nearest to person `number`, by the distance of the boxes' centres.

    With fewer people they are repeated, and a single person has only the own number.
    """
    own = _centre(people[number])
    others = [other for other in range(len(people)) if other != number]
    others.sort(key=lambda other: abs(_centre(people[other]) - own))
    return _repeated(others or [number], count)


def _windows(person: Corners, side: int) -> Iterator[Corners]:
    """Boxes of all widths and heights that begin, end or are centred where the person's box does, cut at the border."""
    width, height = person.right - person.left + 1, person.bottom - person.top + 1
    for wide, high, across, down in product(WIDTHS, HEIGHTS, (0, 0.5, 1), (0, 0.5, 1)):
        left = person.left - across * (wide - 1) * width
        top = person.top - down * (high - 1) * height
        right, bottom = left + wide * width - 1, top + high * height - 1
        yield Corners(max(left, 0), max(top, 0), min(right, side - 1), min(bottom, side - 1))


def _is_within_bounds(region: Corners, person: Corners) -> bool:
    least, most = OVERLAP
    return least <= overlap(region, person) <= most


def _reach(region: Corners, person: Corners) -> float:
    """How far the region goes beyond the person's box on the side where it goes farthest, in pixels."""
    return max(
        person.left - region.left, region.right - person.right, person.top - region.top, region.bottom - person.bottom
    )


def _repeated(items: Sequence[Item], count: int) -> list[Item]:
    return [items[number % len(items)] for number in range(count)]


def _centre(box: Corners) -> complex:
    return complex(box.left + box.right, box.top + box.bottom) / 2
