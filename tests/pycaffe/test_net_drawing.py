"""Nodes, edges, labels and colours of a net."""

import pytest

from caffe_compat.errors import GraphError
from caffe_compat.proto import caffe_pb2
from caffe_compat.pycaffe.net_drawing import Drawing, drawing_of, layer_label, layer_lr_mult
from tests.pycaffe.drawn_net import drawn_net


def drawing(phase: int | None = None, label_edges: bool = True) -> Drawing:
    return drawing_of(drawn_net(), "LR", label_edges, phase, display_lrm=False)


def test_layers_and_blobs_are_nodes() -> None:
    nodes = drawing().nodes
    assert nodes["conv_Convolution"].colour == "#FF5050"
    assert nodes["relu_ReLU"].colour == "#90EE90"
    assert nodes["input_Input"].colour == "#6495ED"
    assert nodes["conv_blob"].shape == "octagon"
    assert nodes["fc_blob"].colour == ""


def test_edges_say_what_flows() -> None:
    labels = {(start, end): label for start, end, label in drawing().edges}
    assert labels["data_Data", "data_blob"] == "Batch 9"
    assert labels["conv_Convolution", "conv_blob"] == "6"
    assert labels["fc_InnerProduct", "fc_blob"] == "5"
    assert labels["data_blob", "conv_Convolution"] == labels["pool_Pooling", "pool:1_blob"] == ""
    assert not any(label for _, _, label in drawing(label_edges=False).edges)


def test_a_phase_leaves_layers_out() -> None:
    assert "data_Data" in drawing(caffe_pb2.TRAIN).nodes
    assert "input_Input" not in drawing(caffe_pb2.TRAIN).nodes
    assert "data_Data" not in drawing(caffe_pb2.TEST).nodes
    assert {"data_Data", "input_Input"} <= set(drawing().nodes)


def test_labels_show_windows_and_rates() -> None:
    convolution, pooling, inner = (drawn_net().layer[index] for index in (2, 4, 5))
    assert layer_label(convolution, "LR", False) == r"conv\n(Convolution)\nkernel size: 3\nstride: 2\npad: 1"
    assert layer_label(pooling, "TB", True) == "pool (Pooling AVE) kernel size: 2 stride: 1 pad: 0"
    assert layer_label(inner, "BT", True) == "fc (InnerProduct) lr mult: 1.0, 1.0"
    assert layer_label(convolution, "TB", True).endswith("lr mult: 0.5, 1.0")


def test_layers_without_weights_have_no_rates() -> None:
    with pytest.raises(GraphError, match=r"^layer 'relu' \(ReLU\) has no learning rate multiplier"):
        layer_lr_mult(drawn_net().layer[3])


def test_rules_of_both_kinds_are_refused() -> None:
    net = drawn_net()
    net.layer[0].exclude.add()
    with pytest.raises(GraphError, match=r"^layer 'data' \(Data\) has both include and exclude specified"):
        drawing_of(net, "LR", True, caffe_pb2.TEST, False)
