"""Layers of a state are selected, Splits inserted, and layers built for the shapes of their bottoms."""

import ast
from functools import partial
from pathlib import Path

import pytest
from google.protobuf import text_format

import caffe_compat
from caffe_compat.errors import GraphError, ShapeError
from caffe_compat.graph.builder import GraphBuilder, filter_net, insert_splits, is_included, shapes_only, single_layer
from caffe_compat.layers.base import LayerSpec
from caffe_compat.proto import caffe_pb2
from caffe_compat.proto.caffe_pb2 import LayerParameter


def layer(text: str) -> LayerParameter:
    return text_format.Parse(text, LayerParameter())


def pooling(name: str, bottom: str, kernel: int = 2) -> LayerParameter:
    return layer(
        f"name: '{name}' type: 'Pooling' bottom: '{bottom}' top: '{name}' pooling_param {{ kernel_size: {kernel} }}"
    )


def test_shapes_flow() -> None:
    builder = shapes_only({"data": (2, 3, 7, 9)})
    steps = [builder.add(pooling(*of)) for of in (("a", "data", 2), ("b", "data", 2), ("c", "a", 3))]

    assert builder.shapes == {"data": (2, 3, 7, 9), "a": (2, 3, 6, 8), "b": (2, 3, 6, 8), "c": (2, 3, 4, 6)}
    assert (steps[2].bottoms, steps[2].bottom_shapes, steps[2].tops, steps[2].top_shapes) == (
        ["a"], [(2, 3, 6, 8)], ["c"], [(2, 3, 4, 6)],
    )  # fmt: skip


def test_blobs_of_a_walk_over_shapes_take_no_memory() -> None:
    builder = shapes_only({"data": (2, 3)})
    made = builder.add(
        layer("name: 'ip' type: 'InnerProduct' bottom: 'data' top: 'ip' inner_product_param { num_output: 500000000 }")
    )

    assert tuple(made.layer.blobs[0].shape) == (5 * 10**8, 3)
    assert made.layer.spec.make_blob is None


def test_an_unknown_bottom_is_refused() -> None:
    with pytest.raises(
        GraphError, match=r"^layer 'a' \(Pooling\): unknown bottom blob 'data': no layer before it makes"
    ):
        shapes_only({}).add(pooling("a", "data"))


@pytest.mark.parametrize(
    "text",
    [
        "name: 's' type: 'Split' bottom: 'data' top: 'one' top: 'one'",
        "name: 's' type: 'Split' bottom: 'data' top: 'two' top: 'data'",
        "name: 's' type: 'Sigmoid' bottom: 'data' top: 'other'",
    ],
)
def test_a_top_has_one_maker(text: str) -> None:
    builder = shapes_only({"data": (2, 3), "other": (2, 3)})
    with pytest.raises(GraphError, match=r"^layer 's' \(\w+\): top blob '\w+' is produced by multiple sources; rename"):
        builder.add(layer(text))


def test_a_loss_without_tops_gets_one_that_counts() -> None:
    builder = GraphBuilder(partial(LayerSpec, phase="TRAIN"), {"a": (2, 3), "b": (2, 3)})
    step = builder.add(layer("name: 'l' type: 'EuclideanLoss' bottom: 'a' bottom: 'b'"))

    assert (step.tops, step.top_shapes, step.loss_weights) == (["(automatic)"], [()], [1.0])
    assert builder.shapes["(automatic)"] == ()


def test_a_single_layer_is_set_up_for_its_bottoms() -> None:
    made = single_layer(
        layer("name: 'ip' type: 'InnerProduct' bottom: 'x' top: 'y' inner_product_param { num_output: 4 }"),
        [(2, 3, 5)],
        "TRAIN",
    )

    assert made.phase == "TRAIN"
    assert [tuple(blob.shape) for blob in made.blobs] == [(4, 15), (4,)]


def test_layers_are_created_here_alone() -> None:
    package = Path(caffe_compat.__file__).parent
    callers = {
        str(file.relative_to(package))
        for file in package.rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Name | ast.Attribute)
        and (node.id if isinstance(node, ast.Name) else node.attr) == "create_layer"
    }
    assert callers == {"graph/builder.py"}


def test_the_first_automatic_top_has_caffes_name_and_others_have_names_of_their_own() -> None:
    builder = GraphBuilder(partial(LayerSpec, phase="TRAIN"), {"a": (2, 3), "b": (2, 3)})
    steps = [
        builder.add(layer(f"name: '{name}' type: 'EuclideanLoss' bottom: 'a' bottom: 'b' loss_weight: 0.5"))
        for name in ("one", "two")
    ]
    assert [step.tops for step in steps] == [["(automatic)"], ["(automatic) two"]]
    assert [step.loss_weights for step in steps] == [[0.5], [0.5]]


def test_sizes_are_judged_before_anything_is_allocated() -> None:
    builder = GraphBuilder(partial(LayerSpec, phase="TRAIN"), {"x": (8, 1600)})
    with pytest.raises(
        ShapeError, match=r"^layer 'ip' \(InnerProduct\): blob 0 would have 2147483647x1600 = .*num_output"
    ):
        builder.add(
            layer("name: 'ip' type: 'InnerProduct' bottom: 'x' top: 'y' inner_product_param { num_output: 2147483647 }")
        )
    with pytest.raises(ShapeError, match=r"^layer 'in' \(Input\): expected sizes above 0 for top 'a', got 2x0$"):
        builder.add(layer("name: 'in' type: 'Input' top: 'a' input_param { shape { dim: 2 dim: 0 } }"))
    with pytest.raises(ShapeError, match=r"^layer 't' \(Tile\): top 'y' would have 8x3199999998400 = "):
        builder.add(layer("name: 't' type: 'Tile' bottom: 'x' top: 'y' tile_param { tiles: 1999999999 }"))


def ruled_layer(rules: str) -> caffe_pb2.LayerParameter:
    return text_format.Parse(f'name: "l" type: "ReLU" {rules}', caffe_pb2.LayerParameter())


STATE = caffe_pb2.NetState(phase=caffe_pb2.TEST, level=2, stage=["a", "b"])


@pytest.mark.parametrize(
    ("rules", "included"),
    [
        ("", True),
        ("include { phase: TEST }", True),
        ("include { phase: TRAIN }", False),
        ("include { phase: TRAIN } include { stage: 'a' }", True),
        ("include { min_level: 2 }", True),
        ("include { min_level: 3 }", False),
        ("include { max_level: 2 }", True),
        ("include { max_level: 1 }", False),
        ("include { stage: 'a' stage: 'b' }", True),
        ("include { stage: 'a' stage: 'c' }", False),
        ("include { not_stage: 'c' }", True),
        ("include { not_stage: 'b' }", False),
        ("exclude { phase: TRAIN }", True),
        ("exclude { phase: TEST }", False),
        ("exclude { phase: TEST level: 9 }".replace("level: 9", "min_level: 9"), True),
        ("exclude { stage: 'a' } exclude { stage: 'z' }", False),
    ],
)
def test_rule(rules: str, included: bool) -> None:
    assert is_included(ruled_layer(rules), STATE) is included


def test_both_kinds_are_refused() -> None:
    with pytest.raises(GraphError, match=r"^layer 'l' \(ReLU\): expected either include or exclude rules, found both"):
        is_included(ruled_layer("include { phase: TEST } exclude { phase: TRAIN }"), STATE)


def test_filter_keeps_order_and_records_the_state() -> None:
    net = caffe_pb2.NetParameter(name="n")
    for name, rule in (("x", ""), ("y", "include { phase: TRAIN }"), ("z", "")):
        added = net.layer.add()
        added.CopyFrom(ruled_layer(rule))
        added.name = name
    filtered = filter_net(net, STATE)
    assert [kept.name for kept in filtered.layer] == ["x", "z"]
    assert filtered.state == STATE
    assert len(net.layer) == 3


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
