"""Comparisons that prove less than they seem to: layers that were not compared, zeros, and fillers."""

import numpy as np

from caffe_compat.parity.compare import compare
from caffe_compat.parity.comparison import Comparison
from caffe_compat.parity.own_runs import record_layers
from caffe_compat.parity.text_table import conclusion
from tests.parity.nets import inputs_of, net_of

TEXT = """
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 2 dim: 3 } } }
layer { name: "a" type: "InnerProduct" bottom: "data" top: "a" inner_product_param { num_output: 4 } }
layer { name: "b" type: "TanH" bottom: "a" top: "b" }
layer { name: "c" type: "TanH" bottom: "a" top: "c" }
"""


def compared(*unseen: str, zeros: bool = False) -> Comparison:
    net = net_of(TEXT)
    if zeros:
        for blob in net.step_of("a").layer.blobs:
            blob.data.zero_()
    inputs = inputs_of(net)
    other = record_layers(net, inputs)
    for key in unseen:
        del other.tops[key]
    return compare(net, other, inputs)


def test_layers_that_were_not_compared_are_counted_and_named() -> None:
    comparison = compared("b/b", "c/c")
    assert comparison.agrees
    assert comparison.unseen_layers == ["b", "c"]
    assert conclusion(comparison) == "the same as ours, exact, layer by layer: 1 of 3 layers, 2 not compared: b, c"


def test_zeros_on_both_sides_prove_nothing() -> None:
    comparison = compared(zeros=True)
    assert comparison.zero_layers == ["a", "b", "c"]
    assert not comparison.agrees
    assert conclusion(comparison) == (
        "nothing is proved about ours, exact, layer by layer: of 3 layers 0 were not compared and 3 gave nothing but "
        "zeros on both sides; give trained weights with --weights"
    )


def test_some_layers_of_zeros_are_named() -> None:
    net = net_of(TEXT.replace('"c" type: "TanH"', '"c" type: "Clip" clip_param { min: 0 max: 0 }'))
    inputs = inputs_of(net) | {"data": np.ones((2, 3), np.float32)}
    comparison = compare(net, record_layers(net, inputs), inputs)
    assert comparison.agrees
    assert conclusion(comparison).endswith(": 3 of 3 layers, 1 with nothing but zeros on both sides: c")
