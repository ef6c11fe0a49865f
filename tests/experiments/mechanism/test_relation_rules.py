"""Relation scenes: what the rules promise, and how much each partial view can know (computed exactly)."""

from collections import Counter, defaultdict
from itertools import product
from typing import Any

import numpy as np
import pytest

from caffe_compat.experiments.mechanism.relation_rules import (
    CLASS_NAMES,
    COMPANIONS,
    PRESENCE,
    RELATION,
    RelationRules,
    draw_relation_scene,
)

RULES = RelationRules()


def scenes(count, seed=3, **rules):
    random = np.random.default_rng(seed)
    return [draw_relation_scene(RelationRules(**rules), random) for _ in range(count)]


def relation_labels(companion):
    return [CLASS_NAMES[label] for label in companion.labels if label >= RELATION.start]


def test_class_names():
    assert CLASS_NAMES[PRESENCE] == ("0", "1", "2", "3", "4")
    assert CLASS_NAMES[RELATION] == ("2 beside", "2 stacked", "3 beside", "3 stacked", "4 beside", "4 stacked")


def test_companions_lie_five_cells_from_the_anchor_as_their_label_says():
    for anchor, *companions in scenes(400):
        assert 1 <= len(companions) <= 2
        assert len({anchor.cell, *(c.cell for c in companions)}) == 1 + len(companions)
        assert len({c.digit for c in companions}) == len(companions)
        for companion in companions:
            down, right = (abs(a - b) for a, b in zip(anchor.cell, companion.cell, strict=True))
            relation = {(0, 5): "beside", (5, 0): "stacked"}[down, right]
            assert relation_labels(companion) == [f"{companion.digit} {relation}"]
            assert all(place in range(1, 12) for place in companion.cell)


def test_a_coin_decides_in_the_control():
    told, true = [], []
    for anchor, *companions in scenes(600, coin_labels=True):
        for companion in companions:
            true.append("beside" if anchor.cell[0] == companion.cell[0] else "stacked")
            told += [label.split()[1] for label in relation_labels(companion)]
    agree = np.mean(np.array(told) == np.array(true))
    assert abs(agree - 0.5) < 4 * 0.5 / np.sqrt(len(told))


def placements():
    """Every placement of one companion with its probability: (companion's cell, anchor's cell, relation)."""
    inner = list(RULES.inner)
    for row, column, relation in product(inner, inner, (0, 1)):
        moving = column if relation == 0 else row
        sides = [moving + step for step in (-5, 5) if moving + step in inner]
        for side in sides:
            anchor = (row, side) if relation == 0 else (side, column)
            yield (row, column), anchor, relation, 1 / (len(inner) ** 2 * 2 * len(sides))


def bayes_average_precision(view):
    """AP of the best score that a view of the scene allows, over infinitely many scenes; ties rank by chance."""
    positive, total = defaultdict[Any, float](float), defaultdict[Any, float](float)
    for companion, anchor, relation, chance in placements():
        total[view(companion, anchor)] += chance
        positive[view(companion, anchor)] += chance * (relation == 0)
    groups = sorted(total, key=lambda key: -positive[key] / total[key])
    precision, seen_positive, seen = 0.0, 0.0, 0.0
    for key in groups:
        # Within a group of equal scores the precision moves evenly from that before to that after the group.
        steps = np.linspace(0, 1, 2001)[1:]
        curve = (seen_positive + steps * positive[key]) / (seen + steps * total[key])
        precision += positive[key] * curve.mean()
        seen_positive, seen = seen_positive + positive[key], seen + total[key]
    return 100 * precision / seen_positive


@pytest.mark.parametrize(
    ("view", "expected"),
    [
        (lambda companion, anchor: None, 50.0),  # a bag of patches
        (lambda companion, anchor: companion, 50.0),
        (lambda companion, anchor: anchor, 61.6),
        (lambda companion, anchor: (companion, anchor), 100.0),
    ],
)
def test_only_both_places_together_tell_the_relation(view, expected):
    assert bayes_average_precision(view) == pytest.approx(expected, abs=0.05)


def test_the_first_companions_cell_is_uniform():
    cells = Counter(scene[1].cell for scene in scenes(12_100, second_companion=0.0))
    assert len(cells) == 121
    expected = 100
    chi_square = sum((count - expected) ** 2 / expected for count in cells.values())
    assert chi_square < 120 + 4 * np.sqrt(2 * 120)


def test_every_companion_occurs():
    digits = Counter(companion.digit for scene in scenes(600) for companion in scene[1:])
    assert set(digits) == set(COMPANIONS)
