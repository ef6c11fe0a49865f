"""What a relation scene holds, and which labels that makes true.

A scene has one anchor (digit 0 or 1) and one or two companions (of 2, 3 and 4) on a grid. Each companion lies exactly
`distance` cells from the anchor: in its row ("beside") or in its column ("stacked"). Five labels say which digits are
there; two more for each companion say how it lies to the anchor. A companion's cell is uniform and its relation a fair
coin, so neither appearance nor the companion's place tells the relation: only both places together do.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

ANCHORS = (0, 1)
COMPANIONS = (2, 3, 4)
RELATIONS = ("beside", "stacked")
DIGITS = (*ANCHORS, *COMPANIONS)
CLASS_NAMES = (*map(str, DIGITS), *(f"{digit} {relation}" for digit in COMPANIONS for relation in RELATIONS))
PRESENCE = slice(0, len(DIGITS))
RELATION = slice(len(DIGITS), len(CLASS_NAMES))

Cell = tuple[int, int]


class RelatedDigit(NamedTuple):
    """A digit, its cell (row, column), and the labels that it makes true, as indices of CLASS_NAMES."""

    digit: int
    cell: Cell
    labels: tuple[int, ...]


@dataclass(frozen=True)
class RelationRules:
    """The numbers behind the rules.

    Digits lie in the inner cells of a grid of `grid` by `grid` cells, `distance` cells apart. With `coin_labels` the
    relation labels are drawn by a coin of their own, so that nothing in the picture tells them: a control.
    """

    grid: int = 13
    margin: int = 1
    distance: int = 5
    second_companion: float = 0.5
    coin_labels: bool = False

    @property
    def inner(self) -> range:
        """The rows, and the columns, in which digits lie."""
        return range(self.margin, self.grid - self.margin)


def draw_relation_scene(rules: RelationRules, random: np.random.Generator) -> list[RelatedDigit]:
    """One scene: the anchor first, then its companions, all in cells of their own."""
    first = _random_cell(rules, random)
    relations = {first: int(random.integers(2))}
    anchor = _cell_at_distance(first, relations[first], rules, random)
    if random.random() < rules.second_companion:
        relation = int(random.integers(2))
        second = _cell_at_distance(anchor, relation, rules, random)
        relations.setdefault(second, relation)  # where the first companion lies already, there is no second
    digits = random.permutation(COMPANIONS).tolist()
    return [
        RelatedDigit(anchor_digit := int(random.choice(ANCHORS)), anchor, (DIGITS.index(anchor_digit),)),
        *(
            RelatedDigit(digit, cell, _companion_labels(digit, relation, rules, random))
            for digit, (cell, relation) in zip(digits, relations.items(), strict=False)
        ),
    ]


def _random_cell(rules: RelationRules, random: np.random.Generator) -> Cell:
    row, column = random.choice(rules.inner, size=2).tolist()
    return row, column


def _cell_at_distance(cell: Cell, relation: int, rules: RelationRules, random: np.random.Generator) -> Cell:
    """A cell in the same row (relation 0) or column (1), on either side where the grid has room."""
    axis = 1 - relation
    sides = [cell[axis] + step for step in (-rules.distance, rules.distance)]
    place = int(random.choice([side for side in sides if side in rules.inner]))
    return (cell[0], place) if axis else (place, cell[1])


def _companion_labels(digit: int, relation: int, rules: RelationRules, random: np.random.Generator) -> tuple[int, ...]:
    """Its presence, and its relation to the anchor, or what a coin says of it."""
    told = int(random.integers(2)) if rules.coin_labels else relation
    return DIGITS.index(digit), RELATION.start + len(RELATIONS) * COMPANIONS.index(digit) + told
