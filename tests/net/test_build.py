"""What a net refuses to be built from, and what it finds out while it is built."""

from pathlib import Path

import numpy as np
import pytest

from caffe_compat.errors import FieldError, GraphError, UnknownLayerError
from caffe_compat.layers.spec import LayerSpec
from caffe_compat.net.build import Surroundings, load_net
from caffe_compat.proto import caffe_pb2
from tests.engine.nets import build

INPUT = 'layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 2 dim: 5 } } }'


def test_errors_name_the_file(tmp_path: Path) -> None:
    file = tmp_path / "bad.prototxt"
    file.write_text(INPUT + 'layer { name: "p" type: "Poling" bottom: "x" top: "p" }')
    with pytest.raises(
        UnknownLayerError, match=r"bad.prototxt: layer 'p' \(Poling\): no layer .*did you mean 'Pooling'\?"
    ):
        load_net(str(file), "TEST", Surroundings())


def test_stages_of_the_file_and_of_the_caller_count(tmp_path: Path) -> None:
    file = tmp_path / "stages.prototxt"
    rules = "".join(
        f'layer {{ name: "{name}" type: "ReLU" bottom: "x" top: "{name}" include {{ stage: "{name}" }} }}'
        for name in ("file", "caller", "neither")
    )
    file.write_text('state { stage: "file" } ' + INPUT + rules)
    assert load_net(str(file), "TEST", stages=("caller",)).outputs == ["caller", "file"]


def test_two_makers_of_one_top() -> None:
    with pytest.raises(GraphError, match=r"^layer 'b' \(ReLU\): top blob 'a' is produced by multiple sources"):
        build(INPUT + "".join(f'layer {{ name: "{name}" type: "ReLU" bottom: "x" top: "a" }}' for name in "ab"))


def test_loss_weights_count_tops() -> None:
    with pytest.raises(
        GraphError, match=r"^layer 'a' \(ReLU\): loss_weight must be unspecified or specified once per top"
    ):
        build(INPUT + 'layer { name: "a" type: "ReLU" bottom: "x" top: "a" loss_weight: 1 loss_weight: 2 }')


def test_fields_that_are_not_honoured() -> None:
    spec = LayerSpec(
        caffe_pb2.LayerParameter(name="a", type="Flatten", flatten_param=caffe_pb2.FlattenParameter(axis=2))
    )
    spec.params("flatten_param")
    with pytest.raises(FieldError, match=r"^layer 'a' \(Flatten\): flatten_param.axis is set but Flatten does not"):
        spec.reject_unread_fields()


def test_a_loss_without_a_top_counts_but_is_no_output() -> None:
    net = build(INPUT + 'layer { name: "l" type: "EuclideanLoss" bottom: "x" bottom: "x" }')
    assert net.outputs == []
    assert net.forward_range(0, len(net.steps) - 1) == 0.0


def test_outputs_are_what_nobody_reads_in_alphabetical_order() -> None:
    net = build(
        INPUT
        + "".join(f'layer {{ name: "{name}" type: "ReLU" bottom: "x" top: "{name}" }}' for name in ("z", "b", "m"))
        + 'layer { name: "last" type: "ReLU" bottom: "m" top: "a" }'
    )
    assert net.outputs == ["a", "b", "z"]
    assert net.inputs == ["x"]


def test_blobs_in_the_prototxt_are_the_first_weights() -> None:
    net = build(
        INPUT
        + 'layer { name: "ip" type: "InnerProduct" bottom: "x" top: "y" inner_product_param { num_output: 1 '
        + "bias_term: false } blobs { shape { dim: 1 dim: 5 } data: 1 data: 2 data: 3 data: 4 data: 5 } }"
    )
    np.testing.assert_array_equal(net.params["ip"][0].data, [[1, 2, 3, 4, 5]])


def test_another_number_of_blobs_in_the_prototxt() -> None:
    with pytest.raises(GraphError, match=r"^layer 'ip' \(InnerProduct\): expected 2 blobs in the net file, got 1"):
        build(
            INPUT
            + 'layer { name: "ip" type: "InnerProduct" bottom: "x" top: "y" inner_product_param { num_output: 1 } '
            + "blobs { shape { dim: 1 dim: 5 } data: [1, 2, 3, 4, 5] } }"
        )
