"""Silence gives nothing."""

import pytest

from caffe_compat.errors import GraphError
from tests.layers.harness import build, random_bottom, run


def test_swallows_its_bottoms() -> None:
    bottoms = [random_bottom(2, 3), random_bottom(4)]
    layer = build("type: 'Silence'", *bottoms, tops=0)
    assert run(layer, *bottoms) == ()
    assert layer.top_shapes((2, 3), (4,)) == []


def test_has_no_tops() -> None:
    with pytest.raises(GraphError, match=r"^layer 's' \(Silence\): expected exactly 0 tops, got 1"):
        build("name: 's' type: 'Silence'", (2, 3))
