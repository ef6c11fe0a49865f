"""Who makes and who reads what, in a net with a branch, an in-place layer, and a value that comes from outside."""

import pytest

from caffe_compat.graph.wiring import Wiring

NODES = [
    (["image"], ["a"]),  # 0: reads what comes from outside
    (["a"], ["a"]),  # 1: in place
    (["a"], ["b", "unused"]),  # 2
    (["a", "b"], ["sum"]),  # 3
    (["b", "b"], ["square"]),  # 4: reads one value twice
    (["sum"], ["out"]),  # 5
    ([], ["alone"]),  # 6
]


@pytest.fixture(name="wiring")
def made() -> Wiring:
    return Wiring(NODES)


def test_makers_tell_an_in_place_layers_bottom_from_its_top(wiring: Wiring) -> None:
    assert [wiring.makers(node) for node in range(7)] == [[], [0], [1], [1, 2], [2, 2], [3], []]
    assert (wiring.maker(0), wiring.maker(3, 1), wiring.maker(6)) == (None, 2, None)


def test_readers_stand_once_for_each_use(wiring: Wiring) -> None:
    assert [wiring.readers(node) for node in range(7)] == [[1], [2, 3], [3, 4, 4], [5], [], [], []]
    assert wiring.uses[2, 1] == []


def test_only_reader(wiring: Wiring) -> None:
    assert [wiring.only_reader(node) for node in range(7)] == [1, None, None, 5, None, None, None]


def test_outputs_are_last_values_that_nobody_reads(wiring: Wiring) -> None:
    assert wiring.unread() == ["unused", "square", "out", "alone"]


def test_last_writer(wiring: Wiring) -> None:
    assert (wiring.last_writer("a"), wiring.last_writer("b"), wiring.last_writer("image")) == (1, 2, None)


def test_what_a_blob_depends_on(wiring: Wiring) -> None:
    assert wiring.leading_to(["sum"]) == [0, 1, 2, 3]
    assert wiring.leading_to(["a"], also=[6]) == [0, 1, 6]
    assert wiring.leading_to(["image"]) == []


def test_what_depends_on_a_node(wiring: Wiring) -> None:
    assert wiring.behind([3]) == {3, 5}
    assert wiring.behind([2, 6]) == {2, 3, 4, 5, 6}


def test_names_can_go_after_their_last_use(wiring: Wiring) -> None:
    gone = {node: sorted(names) for node, names in wiring.last_uses(kept=["out", "square"]).items()}
    assert gone == {0: ["image"], 2: ["unused"], 3: ["a"], 4: ["b"], 5: ["sum"], 6: ["alone"]}
