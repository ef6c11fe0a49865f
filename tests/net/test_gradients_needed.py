"""Backward goes where Caffe sends it."""

import pytest
from google.protobuf import text_format

from caffe_compat.errors import GraphError
from caffe_compat.net.build import build_net
from caffe_compat.net.net import Net
from caffe_compat.proto import caffe_pb2

INNER_PRODUCT = "inner_product_param { num_output: 3 weight_filler { type: 'xavier' } }"


def build(text: str) -> Net:
    net = text_format.Parse(
        "layer { name: 'in' type: 'Input' top: 'x' top: 't' "
        "input_param { shape { dim: 2 dim: 5 } shape { dim: 2 dim: 3 } } }" + text,
        caffe_pb2.NetParameter(),
    )
    return build_net(net, caffe_pb2.NetState(phase=caffe_pb2.TRAIN))


def needs(net: Net) -> dict[str, tuple[bool, list[bool]]]:
    return {step.layer.name: (step.needs_backward, step.propagate_down) for step in net.steps}


CHAIN = """
layer {{ name: 'a' type: 'InnerProduct' bottom: 'x' top: 'a' {first} {ip} }}
layer {{ name: 'b' type: 'InnerProduct' bottom: 'a' top: 'b' {second} {ip} }}
layer {{ name: 'loss' type: 'EuclideanLoss' bottom: 'b' bottom: 't' top: 'loss' {loss} }}
"""


def chain(first: str = "", second: str = "", loss: str = "") -> dict[str, tuple[bool, list[bool]]]:
    return needs(build(CHAIN.format(first=first, second=second, loss=loss, ip=INNER_PRODUCT)))


def test_weights_below_a_loss_learn() -> None:
    assert chain() == {
        "in": (False, []),
        "a": (True, [False]),
        "b": (True, [True]),
        "loss": (True, [True, False]),
    }


def test_fixed_weights_stop_the_gradient() -> None:
    fixed = "param { lr_mult: 0 } param { lr_mult: 0 }"
    found = chain(first=fixed)
    assert found["a"] == (False, [False])
    assert found["b"] == (True, [False])


def test_propagate_down_false_stops_the_gradient_below() -> None:
    found = chain(second="propagate_down: false")
    assert found["a"] == (False, [False])
    assert found["b"] == (True, [False])


def test_no_loss_no_backward() -> None:
    found = chain(loss="loss_weight: 0")
    assert not any(need for need, _ in found.values())


def test_force_backward_reaches_the_data_but_not_the_label_of_a_loss() -> None:
    net = text_format.Parse(
        f"""force_backward: true
        layer {{ name: 'in' type: 'Input' top: 'x' top: 't'
          input_param {{ shape {{ dim: 2 dim: 3 }} shape {{ dim: 2 }} }} }}
        layer {{ name: 'a' type: 'InnerProduct' bottom: 'x' top: 'a' {INNER_PRODUCT} }}
        layer {{ name: 'loss' type: 'SoftmaxWithLoss' bottom: 'a' bottom: 't' top: 'loss' }}""",
        caffe_pb2.NetParameter(),
    )
    found = needs(build_net(net, caffe_pb2.NetState(phase=caffe_pb2.TRAIN)))
    assert found["a"] == (True, [True])
    assert found["loss"] == (True, [True, False])


def test_propagate_down_counts_bottoms() -> None:
    with pytest.raises(GraphError, match=r"^layer 'b' \(InnerProduct\): propagate_down param must be specified"):
        chain(second="propagate_down: true propagate_down: false")
