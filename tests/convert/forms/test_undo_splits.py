from google.protobuf import text_format

from caffe_compat.convert.forms.undo_splits import is_automatic, undo_splits
from caffe_compat.graph.builder import insert_splits
from caffe_compat.proto import caffe_pb2

TEXT = """
layer { name: "data" type: "Input" top: "data" }
layer { name: "conv.1" type: "Convolution" bottom: "data" top: "c" loss_weight: 0.5 }
layer { name: "relu" type: "ReLU" bottom: "c" top: "c" }
layer { name: "own" type: "Split" bottom: "c" top: "own_a" top: "own_b" }
layer { name: "sum" type: "Eltwise" bottom: "own_a" bottom: "data" top: "sum" }
layer { name: "a" type: "TanH" bottom: "sum" top: "a" }
layer { name: "b" type: "TanH" bottom: "sum" top: "b" }
"""


def test_it_is_the_inverse_of_inserting() -> None:
    net = text_format.Parse(TEXT, caffe_pb2.NetParameter())
    split = insert_splits(net)

    assert [layer.name for layer in split.layer if is_automatic(layer)] == [
        "data_data_0_split",
        "c_conv.1_0_split",
        "sum_sum_0_split",
    ]
    assert undo_splits(split.layer) == list(net.layer)


def test_a_loss_weight_goes_back_to_its_top() -> None:
    text = 'layer { name: "l" type: "Slice" bottom: "x" top: "a" top: "b" loss_weight: 0 loss_weight: 2 }'
    text += 'layer { name: "r" type: "TanH" bottom: "b" top: "r" }'
    net = text_format.Parse('layer { name: "x" type: "Input" top: "x" }' + text, caffe_pb2.NetParameter())

    assert list(undo_splits(insert_splits(net).layer)[1].loss_weight) == [0, 2]
