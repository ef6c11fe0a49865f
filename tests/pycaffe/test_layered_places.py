"""Places of nodes: rows by longest way, no overlap, straight ways, and stand-ins where an edge passes rows."""

import itertools

import numpy as np
import pytest

from caffe_compat.pycaffe.layered_places import apart, depths, forward_edges, places_of
from caffe_compat.pycaffe.net_drawing import Drawing, DrawnNode


def drawing_of_edges(*edges: str) -> Drawing:
    drawing = Drawing()
    for edge in edges:
        start, end = edge.split(">")
        for name in (start, end):
            drawing.nodes.setdefault(name, DrawnNode(name, "record", ""))
        drawing.edges.append((start, end, ""))
    return drawing


BLOCK = drawing_of_edges("in>a", "a>b", "b>relu", "relu>b", "b>c", "c>sum", "in>sum", "sum>out")


def test_a_layer_in_place_has_no_way_back() -> None:
    assert ("b", "relu") in forward_edges(BLOCK)
    assert ("relu", "b") not in forward_edges(BLOCK)


def test_rows_follow_the_longest_way() -> None:
    assert depths(BLOCK) == {"in": 0, "a": 1, "b": 2, "relu": 3, "c": 3, "sum": 4, "out": 5}


def test_nodes_of_a_row_do_not_overlap_and_a_long_edge_has_room() -> None:
    widths = {"in": 1.0, "a": 2.0, "b": 1.5, "relu": 3.0, "c": 2.5, "sum": 1.0, "out": 0.5}
    places = places_of(BLOCK, widths, gap=0.25)
    bends = places.bends["in", "sum"]
    assert [row for _, row in bends] == [1, 2, 3]
    for name, (across, row) in itertools.product(("a", "b", "c", "relu"), bends):
        if places.row[name] == row:
            assert abs(places.across[name] - across) >= widths[name] / 2 + 0.25 - 1e-9
    assert abs(places.across["c"] - places.across["relu"]) >= (2.5 + 3.0) / 2 + 0.25 - 1e-9


def test_a_chain_is_straight_and_what_hangs_there_lies_beside_it() -> None:
    chain = [f"n{number}" for number in range(6)]
    edges = [
        edge
        for above, below in itertools.pairwise(chain)
        for edge in (f"{above}>{above}_relu", f"{above}_relu>{above}", f"{above}>{below}")
    ]
    places = places_of(drawing_of_edges(*edges), {}, gap=1.0)
    on_the_way = [places.across[name] for name in chain[:-1]]
    assert np.ptp(on_the_way) < 1e-2
    assert all(places.across[f"{name}_relu"] > places.across[name] for name in chain[:-2])


@pytest.mark.parametrize("seed", range(4))
def test_places_apart_are_the_best_ones(seed: int) -> None:
    random = np.random.default_rng(seed)
    wanted, pull, widths = random.normal(size=4), random.uniform(0.5, 2, 4), random.uniform(0.1, 0.6, 4)
    gap = 0.2
    least = (widths[1:] + widths[:-1]) / 2 + gap
    found = np.array(apart(list(wanted), list(pull), list(widths), gap))
    assert (np.diff(found) >= least - 1e-9).all()
    cost = (pull * (found - wanted) ** 2).sum()
    for _ in range(2000):
        other = found + random.normal(scale=0.1, size=4)
        if (np.diff(other) >= least).all():
            assert (pull * (other - wanted) ** 2).sum() >= cost - 1e-9
