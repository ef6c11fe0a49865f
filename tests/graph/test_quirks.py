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


def quirks(text: str, passes: int = 1, start: str = START) -> list[str]:
    parameter = text_format.Parse(start + text + END, caffe_pb2.NetParameter())
    return list(training_quirks(build_net(parameter, caffe_pb2.NetState(phase=caffe_pb2.TRAIN)).steps, passes))


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


def image(items: int) -> str:
    """A start whose `h` is (items, 3, 2, 5)."""
    return f"""layer {{ name: "x" type: "Input" top: "x" input_param {{ shape {{ dim: [{items}, 4, 2, 5] }} }} }}
      layer {{ name: "c" type: "Convolution" bottom: "x" top: "h"
        convolution_param {{ num_output: 3 kernel_size: 1 }} }}"""


@pytest.mark.parametrize(
    ("fields", "items"),
    [
        ("", 1),
        ("scale_param { axis: 0 }", 2),
        ("scale_param { axis: 0 num_axes: -1 }", 2),
        ("scale_param { axis: -3 }", 1),
    ],
)
def test_a_scale_whose_slope_nothing_precedes_in_several_passes(fields: str, items: int) -> None:
    (told,) = quirks(in_place("Scale", "s", fields), 4, image(items))
    assert told == (
        "layer 's' (Scale): for a bottom of one item, or with one weight per value, Caffe keeps only the last gradient "
        "that it computes before an update; with iter_size 4, here they are added up"
    )
    assert quirks(in_place("Scale", "s", fields), 1, image(items)) == []


@pytest.mark.parametrize(
    ("fields", "items"),
    [
        ("", 2),
        ("scale_param { num_axes: 0 }", 1),
        ("scale_param { axis: 3 }", 1),
        ("param { lr_mult: 0 }", 1),
    ],
)
def test_scales_whose_gradient_caffe_adds_up(fields: str, items: int) -> None:
    assert quirks(in_place("Scale", "s", fields), 4, image(items)) == []


def test_several_scales_are_told_in_one_line_and_shared_ones_in_one_pass_too() -> None:
    named = 'param { name: "w" }'
    scales = in_place("Scale", "s", named) + in_place("Scale", "t", named) + in_place("Scale", "u")
    (told,) = quirks(scales, 1, image(1))
    assert told.startswith("layer 's' (Scale) and 1 more of this type: for a bottom of one item")
    assert told.endswith("with a shared weight, here they are added up")


def test_a_parameter_in_several_passes() -> None:
    text = """layer { name: "p" type: "Parameter" top: "p" parameter_param { shape { dim: 2 dim: 3 } } }
      layer { name: "e" type: "Eltwise" bottom: "h" bottom: "p" top: "e" loss_weight: 1 }"""
    (told,) = quirks(text, 3)
    assert told.startswith(
        "layer 'p' (Parameter): whose top and weight share their gradient, Caffe keeps only the last"
    )
    assert quirks(text) == []


@pytest.mark.parametrize("kind", ["Reshape", "Flatten"])
def test_propagate_down_false_on_a_layer_that_shares_its_diff(kind: str) -> None:
    layer = """layer {{ name: "r" type: "{}" bottom: "{}" top: "r" propagate_down: false {} }}
      layer {{ name: "t" type: "TanH" bottom: "r" top: "t" }}
      layer {{ name: "both" type: "InnerProduct" bottom: "t" top: "b" loss_weight: 1
        inner_product_param {{ num_output: 2 }} }}"""
    fields = "reshape_param { shape { dim: 2 dim: -1 } }" if kind == "Reshape" else ""
    (told,) = quirks(layer.format(kind, "h", fields))
    assert told.startswith(f"layer 'r' ({kind}): in spite of propagate_down false, Caffe passes the gradient through")
    assert quirks(layer.format(kind, "x", fields)) == []  # nothing below learns


@pytest.mark.parametrize("fields", ["power: 3", "power: 1.5 shift: 2 scale: -0.5"])
def test_a_power_that_caffe_divides_by_its_base(fields: str) -> None:
    (told,) = quirks(in_place("Power", "p", f"power_param {{ {fields} }}"))
    power = fields.split()[1]
    assert told.startswith(
        f"layer 'p' (Power): with power {power}, Caffe's gradient is NaN where shift + scale * x is 0"
    )


@pytest.mark.parametrize("fields", ["power: 2", "power: 1 scale: 3", "power: 3 scale: 0", "power: 0"])
def test_powers_whose_gradient_is_caffes(fields: str) -> None:
    assert quirks(in_place("Power", "p", f"power_param {{ {fields} }}")) == []


@pytest.mark.parametrize("text", ["", in_place("ReLU", "r") + in_place("Dropout", "d"), in_place("Sigmoid", "s")])
def test_usual_nets_have_none(text: str) -> None:
    assert quirks(text) == []
