"""A net whose inputs change their shapes, and functions around its layers."""

import logging

import numpy as np
import pytest
from google.protobuf import text_format

from caffe_compat.net.build import build_net
from caffe_compat.net.net import Hooks, Net
from caffe_compat.proto import caffe_pb2

WEIGHTED = """
  layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 1 dim: 2 } } }
  layer { name: "u" type: "Power" bottom: "x" top: "u" power_param { scale: 2 } loss_weight: 0.5 }
"""


def weighted() -> Net:
    parameter = text_format.Parse(WEIGHTED, caffe_pb2.NetParameter())
    return build_net(parameter, caffe_pb2.NetState(phase=caffe_pb2.TRAIN))


@pytest.mark.parametrize("at_once", [True, False])
def test_a_weighted_top_that_grows_keeps_its_weight_and_says_once_that_caffes_loses_it(
    at_once: bool, caplog: pytest.LogCaptureFixture
) -> None:
    net = weighted()
    with caplog.at_level(logging.WARNING, "caffe_compat"):
        for items in (3, 4):
            net.blobs["x"].reshape(items, 2)
            if at_once:
                net.reshape()
            net.blobs["x"].data[...] = 1
            assert net.forward_range(0, 1) == items * 2 * 2 * 0.5
            np.testing.assert_array_equal(net.blobs["u"].diff, np.full((items, 2), 0.5))
    (told,) = caplog.messages
    assert told == (
        "layer 'u' (Power): top 'u' has grown from (1, 2) to (3, 2): Caffe loses its loss_weight then, so that its "
        "loss and gradient are 0; here they are not (docs/parity.md)"
    )


def test_a_weighted_top_that_shrinks_says_nothing(caplog: pytest.LogCaptureFixture) -> None:
    net = weighted()
    net.blobs["x"].reshape(1, 1)
    net.reshape()
    net.forward_range(0, 1)
    assert caplog.messages == []


def test_backward_without_a_forward_passes_a_layer_without_tops() -> None:
    text = """
      force_backward: true
      layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 2 dim: 3 } } }
      layer { name: "y" type: "Power" bottom: "x" top: "y" power_param { scale: 4 } }
      layer { name: "quiet" type: "Silence" bottom: "y" }
    """
    net = build_net(text_format.Parse(text, caffe_pb2.NetParameter()), caffe_pb2.NetState(phase=caffe_pb2.TRAIN))
    net.blobs["y"].diff[...] = 5
    net.backward_range(2, 0)
    np.testing.assert_array_equal(net.blobs["y"].diff, np.zeros((2, 3)))
    net.blobs["y"].diff[...] = 5
    net.backward_range(1, 1)
    np.testing.assert_array_equal(net.blobs["x"].diff, np.full((2, 3), 20))


def test_they_run_in_order_around_the_layer() -> None:
    calls: list[str] = []
    hooks = Hooks()
    hooks.before += [lambda layer: calls.append(f"first {layer}"), lambda layer: calls.append(f"second {layer}")]
    hooks.after.append(lambda layer: calls.append(f"last {layer}"))
    with hooks.around(4):
        calls.append("layer")
    assert calls == ["first 4", "second 4", "layer", "last 4"]


def test_a_layer_that_fails_is_not_done() -> None:
    hooks = Hooks(after=[lambda layer: pytest.fail("the layer has failed")])
    with pytest.raises(ZeroDivisionError), hooks.around(0):
        _ = 1 / 0
