"""Running beside a recording."""

import numpy as np
import pytest
import torch

from caffe_compat.errors import ShapeError
from caffe_compat.parity.replay import (
    array_of,
    fill_inputs,
    first_readers,
    is_inserted_split,
    last_writers,
    value_of,
    weights_kept,
)
from tests.parity.nets import net_of

TEXT = """
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 2 dim: 3 } } }
layer { name: "relu" type: "ReLU" bottom: "data" top: "data" }
layer { name: "ip" type: "InnerProduct" bottom: "data" top: "y" inner_product_param { num_output: 4 } }
layer { name: "tanh" type: "TanH" bottom: "data" top: "z" }
"""


def test_inputs_take_the_shapes_of_their_values() -> None:
    net = net_of(TEXT)
    fill_inputs(net, {"data": np.ones((5, 3), np.float32)})
    assert net.blobs["y"].shape == (5, 4)
    assert value_of(net, "data").sum() == 15


def test_missing_inputs_are_named() -> None:
    with pytest.raises(ShapeError, match=r"^net '': expected values for the inputs \['data'\], missing \['data'\]$"):
        fill_inputs(net_of(TEXT), {})


def test_writers_and_readers_are_found_past_splits() -> None:
    net = net_of(TEXT)
    assert [step.layer.name for step in net.steps if is_inserted_split(step)] == ["data_relu_0_split"]
    assert net.steps[last_writers(net)["data"]].layer.name == "relu"
    assert net.steps[first_readers(net)["data"]].layer.name == "relu"


def test_bfloat16_comes_out_as_float32() -> None:
    assert array_of(torch.ones(2, dtype=torch.bfloat16)).dtype == np.float32


def test_weights_and_the_random_state_come_back() -> None:
    net = net_of(TEXT)
    before, state = net.step_of("ip").layer.blobs[0].detach().clone(), torch.get_rng_state()
    with weights_kept(net):
        net.step_of("ip").layer.blobs[0].data.zero_()
        torch.rand(3)
    assert torch.equal(net.step_of("ip").layer.blobs[0], before)
    assert torch.equal(torch.get_rng_state(), state)
