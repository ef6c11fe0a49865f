"""What a scene of the demo holds, and which labels that makes true.

A scene has one anchor (0 to 4) and one to three companions (5 to 9) on a grid of cells.
Appearance: each digit has a label that says it is there.
Co-occurrence: each anchor has two favourite companions, which it meets three times in four.
Relative position: each companion has two more labels, "left" and "right" of the anchor, in whichever row. A companion
looks the same in both; nothing but its place relative to the anchor tells them apart.
Degraded companions are faint, blurred and at times half hidden, so that the anchor helps to tell what they are.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

DIGITS = range(10)
ANCHORS = DIGITS[:5]
COMPANIONS = DIGITS[5:]
SIDES = ("left", "right")
CLASS_NAMES = (*map(str, DIGITS), *(f"{digit} {side}" for digit in COMPANIONS for side in SIDES))
#: The labels that only the place relative to the anchor decides.
POSITIONAL = range(len(DIGITS), len(CLASS_NAMES))


class PlacedDigit(NamedTuple):
    """A digit in a cell, and the labels that it makes true."""

    digit: int
    row: int
    column: int
    labels: tuple[int, ...]
    degraded: bool = False


@dataclass(frozen=True)
class SceneRules:
    """The numbers behind the rules; without `position_rule` a coin decides between left and right."""

    grid: int = 4
    most_companions: int = 3
    favourite: float = 0.75
    degraded: float = 0.3
    position_rule: bool = True


def draw_scene(rules: SceneRules, random: np.random.Generator) -> list[PlacedDigit]:
    """The anchor first, then its companions; all in cells of their own, no companion in the anchor's column."""
    anchor = int(random.choice(ANCHORS))
    row, column = random.integers(rules.grid, size=2).tolist()
    scene = [PlacedDigit(anchor, row, column, (anchor,))]
    for digit in _companions(anchor, rules, random):
        scene.append(_place(digit, scene, rules, random))
    return scene


def _companions(anchor: int, rules: SceneRules, random: np.random.Generator) -> list[int]:
    """One to three different digits, mostly the anchor's favourites."""
    number = int(random.integers(1, rules.most_companions + 1))
    favourites = [COMPANIONS[(anchor + step) % len(COMPANIONS)] for step in (1, 3)]
    chosen: list[int] = []
    while len(chosen) < number:
        digit = int(random.choice(favourites if random.random() < rules.favourite else COMPANIONS))
        if digit not in chosen:
            chosen.append(digit)
    return chosen


def _place(digit: int, scene: list[PlacedDigit], rules: SceneRules, random: np.random.Generator) -> PlacedDigit:
    """A free cell left or right of the anchor, each side as likely where it has room."""
    column, taken = scene[0].column, {(other.row, other.column) for other in scene}
    cells = [(i, j) for i in range(rules.grid) for j in range(rules.grid) if (i, j) not in taken and j != column]
    right = bool(random.integers(2))
    row, place = random.choice([cell for cell in cells if (cell[1] > column) == right] or cells)
    side = int(place > column) if rules.position_rule else int(random.integers(2))
    labels = (digit, POSITIONAL[2 * COMPANIONS.index(digit) + side])
    return PlacedDigit(digit, int(row), int(place), labels, bool(random.random() < rules.degraded))
