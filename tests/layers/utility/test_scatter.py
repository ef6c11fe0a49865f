"""Scatter in one process, and its shapes in several."""

import pytest

from caffe_compat.errors import GraphError, ShapeError
from caffe_compat.layers.base import LayerSpec
from caffe_compat.layers.registry import create_layer
from tests.layers.harness import build, check_layer, layer_parameter, random_bottom

TEXT = "name: 's' type: 'Scatter'"


def test_one_process_has_the_bottoms_themselves() -> None:
    check_layer(TEXT, [random_bottom(2, 3), random_bottom(4)], lambda _, a, b: (a, b), tops=2)


def test_several_processes_have_a_part_of_the_batch() -> None:
    layer = create_layer(LayerSpec(layer_parameter(TEXT), world_size=3))
    assert layer.top_shapes((6, 5)) == [(2, 5)]
    with pytest.raises(ShapeError, match=r"^layer 's' \(Scatter\): expected a batch that 3 processes divide, got 7"):
        layer.top_shapes((7, 5))


def test_wants_a_top_for_every_bottom() -> None:
    with pytest.raises(GraphError, match=r"^layer 's' \(Scatter\): expected 2 tops \(one a bottom\), got 1"):
        build(TEXT, (2, 3), (2, 3))
