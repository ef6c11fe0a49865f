"""Facts of layers against counts by hand."""

import pytest
from google.protobuf import text_format

from caffe_compat.errors import GraphError, ShapeError
from caffe_compat.proto import caffe_pb2
from caffe_compat.view.layer_facts import Sight, layer_facts, phases, totals
from caffe_compat.view.net_graph import net_graph

NET = """
name: "small"
layer { name: "images" type: "Data" top: "data" top: "label" include { phase: TRAIN }
        data_param { source: "no/such" batch_size: 4 backend: LMDB } transform_param { crop_size: 20 } }
layer { name: "targets" type: "Data" top: "targets" include { phase: TRAIN } data_param { source: "no/such" } }
layer { name: "input" type: "Input" top: "data" input_param { shape { dim: 1 dim: 3 dim: 20 dim: 16 } }
        include { phase: TEST } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv" param { lr_mult: 0 } param { lr_mult: 2 }
        convolution_param { num_output: 6 kernel_size: 5 stride: 2 } }
layer { name: "norm" type: "BatchNorm" bottom: "conv" top: "conv" }
layer { name: "pool" type: "Pooling" bottom: "conv" top: "pool" pooling_param { kernel_size: 2 stride: 2 } }
layer { name: "fc" type: "InnerProduct" bottom: "pool" top: "fc" inner_product_param { num_output: 7 } }
layer { name: "loss" type: "SigmoidCrossEntropyLoss" bottom: "fc" bottom: "targets" top: "loss"
        include { phase: TRAIN } }
"""


def facts(phase, given=None):
    net = text_format.Parse(NET, caffe_pb2.NetParameter())
    return {fact.name: fact for fact in layer_facts(net_graph(net, phase, given))}


def test_costs_and_sizes():
    found = facts("TEST")
    assert found["conv"].top_shapes == [(1, 6, 8, 6)]
    assert found["conv"].parameters == 6 * 3 * 25 + 6
    assert found["conv"].multiply_adds == 6 * 8 * 6 * 3 * 25
    assert (found["conv"].memory, found["norm"].memory) == (4 * 6 * 8 * 6, 0)
    assert found["fc"].multiply_adds == 7 * 6 * 4 * 3
    assert totals(list(found.values()))["parameters"] == 456 + (6 + 6 + 1) + 7 * 6 * 4 * 3 + 7


def test_what_each_layer_sees():
    found = facts("TEST")
    assert found["conv"].sight == Sight(5, 2)
    assert found["pool"].sight == Sight(7, 4)
    assert found["fc"].sight.span is None


def test_what_learns():
    found = facts("TEST")
    assert found["conv"].lr_mults == [0, 2]
    assert found["norm"].lr_mults == [0, 0, 0]
    assert [found[name].learns for name in ("conv", "norm", "fc", "pool")] == [True, False, True, False]


def test_fields_as_written_and_as_completed():
    fields = {field.name: (field.value, field.is_set) for field in facts("TEST")["conv"].fields}
    assert fields["convolution_param.num_output"] == ("6", True)
    assert fields["convolution_param.group"] == ("1", False)


def test_data_that_are_not_there_promise_their_shapes():
    found = facts("TRAIN")
    assert found["images"].top_shapes == [(4, 3, 20, 20), (4,)]
    assert found["images"].note.startswith("layer 'images' (Data): cannot open LMDB 'no/such'")
    assert found["loss"].note == "the shape of 'targets' is not known"
    assert found["fc"].top_shapes == [(4, 7)]


def test_given_shapes_count():
    found = facts("TRAIN", {"targets": (4, 7), "data": (4, 1, 30, 30), "label": (4,)})
    assert found["conv"].parameters == 6 * 25 + 6
    assert found["loss"].top_shapes == [()]
    with pytest.raises(
        GraphError, match=r"^no input 'dat' to give a shape to; the net's inputs: data, label, targets$"
    ):
        facts("TRAIN", {"dat": (1,)})


def test_a_given_shape_takes_the_place_of_an_inputs_own():
    found = facts("TEST", {"data": (2, 3, 30, 26)})
    assert found["conv"].top_shapes == [(2, 6, 13, 11)]
    assert found["input"].note == "shape as given"


def test_an_image_of_unknown_size_is_an_error_with_its_cure():
    net = text_format.Parse(NET.replace("transform_param { crop_size: 20 }", ""), caffe_pb2.NetParameter())
    message = (
        r"^layer 'images' \(Data\): its data are not here and no crop_size tells the shape of 'data'; give it, "
        r"as in --input-shape data=1,3,224,224$"
    )
    with pytest.raises(ShapeError, match=message):
        net_graph(net, "TRAIN")


def test_phases_that_the_net_speaks_of():
    assert phases(text_format.Parse(NET, caffe_pb2.NetParameter())) == ["TRAIN", "TEST"]
    assert phases(caffe_pb2.NetParameter()) == ["TEST"]


def test_whole_test_images_have_the_size_of_the_other_phase_s_crop():
    images = 'layer { name: "images" type: "Data" top: "data" include { phase: %s } %s data_param { batch_size: %d } }'
    net = text_format.Parse(
        images % ("TRAIN", "transform_param { crop_size: 20 }", 5)
        + images % ("TEST", "", 3)
        + 'layer { name: "relu" type: "ReLU" bottom: "data" top: "out" }',
        caffe_pb2.NetParameter(),
    )
    assert net_graph(net, "TRAIN").shapes["out"] == (5, 3, 20, 20)
    assert net_graph(net, "TEST").shapes["out"] == (3, 3, 20, 20)
