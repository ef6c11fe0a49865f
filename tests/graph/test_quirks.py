"""Nets that train otherwise than in Caffe are told."""

import pytest
from google.protobuf import text_format

from caffe_compat.graph.quirks import training_quirks
from caffe_compat.net.build import build_net
from caffe_compat.proto import caffe_pb2

START = """
layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 2 dim: 3 dim: 4 dim: 5 } } }
layer { name: "ip" type: "InnerProduct" bottom: "x" top: "h" inner_product_param { num_output: 3 } }
"""
END = 'layer { name: "end" type: "Reduction" bottom: "h" top: "end" loss_weight: 1 }'


def quirks(text: str) -> list[str]:
    parameter = text_format.Parse(START + text + END, caffe_pb2.NetParameter())
    return list(training_quirks(build_net(parameter, caffe_pb2.NetState(phase=caffe_pb2.TRAIN)).steps))


def in_place(kind: str, name: str, fields: str = "") -> str:
    return f'layer {{ name: "{name}" type: "{kind}" bottom: "h" top: "h" {fields} }}'


def test_a_clip_in_place() -> None:
    (told,) = quirks(in_place("Clip", "c", "clip_param { min: -1 max: 1 }"))
    assert told == "layer 'c' (Clip): in place, Caffe passes the gradient also where it clipped; here it is 0 there"


@pytest.mark.parametrize("kind", ["Sigmoid", "TanH", "Exp"])
def test_a_layer_in_place_behind_one_whose_backward_reads_its_top(kind: str) -> None:
    (told,) = quirks(in_place(kind, "s") + in_place("Dropout", "d"))
    assert told.startswith(f"layer 's' ({kind}): Caffe's backward reads its top, which layer 'd' (Dropout) overwrites")


def test_an_unstable_product() -> None:
    product = """layer { name: "e" type: "Eltwise" bottom: "h" bottom: "h" top: "e" loss_weight: 1
      eltwise_param { operation: PROD stable_prod_grad: false } }"""
    (told,) = quirks(product)
    assert told.startswith(
        "layer 'e' (Eltwise): with stable_prod_grad false, Caffe's gradient is NaN where a factor is 0"
    )


@pytest.mark.parametrize("text", ["", in_place("ReLU", "r") + in_place("Dropout", "d"), in_place("Sigmoid", "s")])
def test_usual_nets_have_none(text: str) -> None:
    assert quirks(text) == []
