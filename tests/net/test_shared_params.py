"""Params of one name are one weight, with one gradient."""

import numpy as np
import pytest
import torch

from caffe_compat.errors import GraphError, ShapeError
from caffe_compat.net.net import Net
from tests.engine.nets import build

PAIR = """
layer {{ name: "in" type: "Input" top: "x" input_param {{ shape {{ dim: 2 dim: 6 }} }} }}
layer {{ name: "a" type: "InnerProduct" bottom: "x" top: "a" param {{ name: "w" {first} }}
  inner_product_param {{ num_output: {width} bias_term: false weight_filler {{ type: "xavier" }} }} }}
layer {{ name: "b" type: "InnerProduct" bottom: "a" top: "b" param {{ name: "w" {second} }}
  inner_product_param {{ num_output: {outputs} bias_term: false weight_filler {{ type: "xavier" }} }} }}
layer {{ name: "sum" type: "Reduction" bottom: "b" top: "sum" loss_weight: 1 }}
"""


def pair(first: str = "", second: str = "", width: int = 6, outputs: int = 6) -> Net:
    return build(PAIR.format(first=first, second=second, width=width, outputs=outputs))


def test_strict_sharers_are_one_parameter_with_the_sum_of_gradients() -> None:
    net = pair()
    assert net.step_of("a").layer.blobs[0] is net.step_of("b").layer.blobs[0]
    assert [learnable.label for learnable in net.learnable] == ["a/0"]
    weight = net.params["a"][0].data.astype(np.float64)
    x = net.blobs["x"].data.astype(np.float64)
    net.forward_range(0, len(net.steps) - 1)
    net.backward_range(len(net.steps) - 1, 0)
    ones = np.ones((2, 6))
    expected = ones.T @ (x @ weight.T) + (ones @ weight).T @ x
    np.testing.assert_allclose(net.params["b"][0].diff, expected, rtol=1e-4, atol=1e-5)
    assert net.params["b"][0].diff is not None
    np.testing.assert_array_equal(net.params["a"][0].diff, net.params["b"][0].diff)


def test_permissive_sharers_of_one_count_share_memory_and_gradients() -> None:
    permissive = "share_mode: PERMISSIVE"
    net = pair(permissive, permissive, width=2, outputs=6)  # (2, 6) and (6, 2)
    first, second = net.params["a"][0], net.params["b"][0]
    first.data[...] = np.arange(12).reshape(2, 6)
    np.testing.assert_array_equal(second.data, np.arange(12).reshape(6, 2))
    net.forward_range(0, len(net.steps) - 1)
    net.backward_range(len(net.steps) - 1, 0)
    np.testing.assert_array_equal(first.diff.ravel(), second.diff.ravel())
    assert len(net.learnable) == 1


def test_shapes_must_agree_by_default() -> None:
    with pytest.raises(
        ShapeError, match=r"^layer 'b' \(InnerProduct\): cannot share param 'w' owned by a/0: shape mismatch"
    ):
        pair(width=2)


def test_counts_must_agree_always() -> None:
    with pytest.raises(ShapeError, match=r"cannot share param 'w' owned by a/0: count mismatch"):
        pair("", "share_mode: PERMISSIVE", width=2, outputs=5)


def test_a_multiplier_of_any_sharer_counts_and_two_must_agree() -> None:
    net = pair(second="lr_mult: 3 decay_mult: 5")
    assert (net.learnable[0].lr_mult, net.learnable[0].decay_mult) == (3, 5)
    with pytest.raises(
        GraphError, match=r"^layer 'b' \(InnerProduct\): shared param 'w' has mismatched lr_mult: 2.0 at a/0, 3.0"
    ):
        pair("lr_mult: 2", "lr_mult: 3")


def test_more_params_than_blobs() -> None:
    with pytest.raises(GraphError, match=r"^layer 'b' \(InnerProduct\): too many params specified: expected at most 1"):
        pair(second="} param { lr_mult: 1")


def test_views_stay_tied_after_a_move() -> None:
    permissive = "share_mode: PERMISSIVE"
    net = pair(permissive, permissive, width=2, outputs=6)
    net.double()
    net.learnable[0].tie_views()
    with torch.no_grad():
        net.learnable[0].parameter.fill_(4)
    assert (net.step_of("b").layer.blobs[0] == 4).all()
