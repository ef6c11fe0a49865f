"""Weights that another net lends: one memory for the values, each net its own gradient."""

import numpy as np
import pytest
import torch

from caffe_compat.net.net import Net
from tests.engine.nets import build

NET = """
layer {{ name: "in" type: "Input" top: "x" input_param {{ shape {{ dim: 2 dim: 6 }} }} }}
layer {{ name: "a" type: "InnerProduct" bottom: "x" top: "a" param {{ {shared} }}
  inner_product_param {{ num_output: 3 bias_term: false weight_filler {{ type: "gaussian" std: 0.4 }} }} }}
layer {{ name: "b" type: "InnerProduct" bottom: "a" top: "b" param {{ {shared} }}
  inner_product_param {{ num_output: 6 bias_term: false weight_filler {{ type: "gaussian" std: 0.4 }} }} }}
"""
LOSS = 'layer { name: "sum" type: "Reduction" bottom: "b" top: "sum" loss_weight: 1.5 }'
PERMISSIVE = 'name: "w" share_mode: PERMISSIVE'


def net_of(shared: str = "", loss: str = LOSS) -> Net:
    net = build(NET.format(shared=shared) + loss)
    net.blobs["x"].data[...] = np.random.RandomState(4).randn(2, 6)
    return net


def pair(shared: str = "") -> tuple[Net, Net]:
    lender, borrower = net_of(shared), net_of(shared)
    borrower.share_weights(lender)
    return lender, borrower


def run(net: Net) -> None:
    net.forward_range(0, len(net.steps) - 1)
    net.backward_range(len(net.steps) - 1, 0)


@pytest.mark.parametrize("shared", ["", PERMISSIVE])
def test_a_borrower_adds_to_its_own_gradient(shared: str) -> None:
    lender, borrower = pair(shared)
    run(borrower)
    run(borrower)
    assert not lender.params["a"][0].diff.any()
    run(lender)
    for layer in ("a", "b"):
        assert lender.params[layer][0].diff.any()
        np.testing.assert_allclose(borrower.params[layer][0].diff, 2 * lender.params[layer][0].diff, rtol=1e-6)


def test_clearing_one_net_leaves_the_other() -> None:
    lender, borrower = pair()
    run(lender)
    run(borrower)
    borrower.clear_parameter_gradients()
    assert lender.params["b"][0].diff.any()
    assert not borrower.params["b"][0].diff.any()


def test_a_borrower_keeps_the_gradient_that_it_had() -> None:
    lender, borrower, third = net_of(), net_of(), net_of()
    borrower.params["a"][0].diff[...] = 7
    for other in (lender, lender, third):
        borrower.share_weights(other)
    assert (borrower.params["a"][0].diff == 7).all()
    assert borrower.learnable_gradients()[0].eq(7).all()
    assert not lender.params["a"][0].diff.any()


def test_a_net_may_learn_weights_of_one_that_does_not() -> None:
    lender, borrower = net_of(loss=""), net_of()
    borrower.share_weights(lender)
    run(borrower)
    assert borrower.params["a"][0].diff.any()
    run(lender)
    assert not lender.params["a"][0].diff.any()


def test_gradients_over_one_memory_are_so_after_a_move() -> None:
    _, borrower = pair(PERMISSIVE)
    borrower.gradients.move(torch.device("cpu"))
    borrower.params["a"][0].diff[...] = 3
    assert (borrower.params["b"][0].diff == 3).all()
