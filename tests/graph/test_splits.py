"""Splits go where Caffe puts them, under Caffe's names."""

import pytest
from google.protobuf import text_format

from caffe_compat.errors import GraphError
from caffe_compat.graph.splits import insert_splits
from caffe_compat.proto import caffe_pb2


def net(text: str) -> caffe_pb2.NetParameter:
    return text_format.Parse(text, caffe_pb2.NetParameter())


def wiring(parameter: caffe_pb2.NetParameter) -> list[tuple[str, list[str], list[str]]]:
    return [(layer.name, list(layer.bottom), list(layer.top)) for layer in parameter.layer]


def test_two_readers_get_copies_in_reading_order() -> None:
    split = insert_splits(
        net(
            """
            layer { name: "data" type: "Input" top: "x" top: "y" }
            layer { name: "a" type: "ReLU" bottom: "y" top: "a" }
            layer { name: "b" type: "ReLU" bottom: "y" top: "b" }
            """
        )
    )
    assert wiring(split) == [
        ("data", [], ["x", "y"]),
        ("y_data_1_split", ["y"], ["y_data_1_split_0", "y_data_1_split_1"]),
        ("a", ["y_data_1_split_0"], ["a"]),
        ("b", ["y_data_1_split_1"], ["b"]),
    ]


def test_in_place_layers_split_after_the_last_writer() -> None:
    split = insert_splits(
        net(
            """
            layer { name: "data" type: "Input" top: "x" }
            layer { name: "relu" type: "ReLU" bottom: "x" top: "x" }
            layer { name: "a" type: "TanH" bottom: "x" top: "a" }
            layer { name: "b" type: "Eltwise" bottom: "x" bottom: "x" top: "b" }
            """
        )
    )
    assert wiring(split)[1:4] == [
        ("relu", ["x"], ["x"]),
        ("x_relu_0_split", ["x"], ["x_relu_0_split_0", "x_relu_0_split_1", "x_relu_0_split_2"]),
        ("a", ["x_relu_0_split_0"], ["a"]),
    ]


def test_a_loss_weight_counts_as_a_reader_and_moves_to_the_first_copy() -> None:
    split = insert_splits(
        net(
            """
            layer { name: "data" type: "Input" top: "x" }
            layer { name: "p" type: "Power" bottom: "x" top: "p" loss_weight: 3 }
            layer { name: "r" type: "ReLU" bottom: "p" top: "r" }
            """
        )
    )
    power, copies, reader = split.layer[1:]
    assert list(power.loss_weight) == []
    assert list(copies.loss_weight) == [3, 0]
    assert list(reader.bottom) == ["p_p_0_split_1"]


def test_unknown_bottom_names_layer_and_blobs() -> None:
    with pytest.raises(
        GraphError, match=r"^layer 'r' \(ReLU\): unknown bottom blob 'z' \(bottom 0\).*blobs made before it: x"
    ):
        insert_splits(
            net('layer { name: "d" type: "Input" top: "x" } layer { name: "r" type: "ReLU" bottom: "z" top: "r" }')
        )
