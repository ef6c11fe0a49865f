import ast
from functools import partial
from pathlib import Path

import pytest
from google.protobuf import text_format

import caffe_compat
from caffe_compat.errors import GraphError, ShapeError
from caffe_compat.graph.builder import GraphBuilder, shapes_only, single_layer
from caffe_compat.layers.base import LayerSpec
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
