import numpy as np
import pytest
import torch

from caffe_compat.convert.model import Model, assemble
from caffe_compat.errors import GraphError, ShapeError
from tests.convert.models import model_of

TEXT = """
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 2 dim: 3 } } }
layer { name: "one" type: "InnerProduct" bottom: "data" top: "one" param { name: "w" } param { name: "b" }
  inner_product_param { num_output: 3 } }
layer { name: "two" type: "InnerProduct" bottom: "one" top: "two" param { name: "w" }
  inner_product_param { num_output: 3 } }
"""


def test_blobs_of_one_name_are_one_parameter() -> None:
    net = assemble(model_of(TEXT))
    one, two = (step.layer for step in net.steps)

    assert one.blobs[0] is two.blobs[0]
    assert one.blobs[1] is not two.blobs[1]


def test_what_hdf5_leaves_out_for_an_owner_is_taken_from_it() -> None:
    model = model_of(TEXT)
    bias = model.blobs["two"][1]
    model.blobs["two"] = [np.zeros(0, np.float32), bias]
    one, two = (step.layer for step in assemble(model).steps)

    assert two.blobs[0] is one.blobs[0]
    np.testing.assert_array_equal(two.blobs[1].detach(), bias)


def test_the_weights_are_the_nets_own() -> None:
    model = model_of(TEXT)
    kept = model.blobs["one"][0].copy()
    net = assemble(model)
    with torch.no_grad():
        net.steps[0].layer.blobs[0].zero_()

    np.testing.assert_array_equal(model.blobs["one"][0], kept)
    assert net.steps[0].layer.blobs[0].data_ptr() % 4 == 0


def test_old_shapes_of_four_axes_fit() -> None:
    model = model_of(TEXT)
    model.blobs["one"] = [model.blobs["one"][0].reshape(1, 1, 3, 3), model.blobs["one"][1].reshape(1, 1, 1, 3)]
    assert tuple(assemble(model).steps[0].layer.blobs[1].shape) == (3,)


def test_shapes_inputs_and_outputs() -> None:
    net = assemble(model_of(TEXT))
    assert (net.inputs, net.outputs) == ({"data": (2, 3)}, ("two",))
    assert net.steps[1].bottom_shapes == net.steps[1].top_shapes == [(2, 3)]


def with_blobs(*shapes: tuple[int, ...]) -> Model:
    model = model_of(TEXT)
    model.blobs["one"] = [np.zeros(shape, np.float32) for shape in shapes]
    return model


@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        ([], r"net\.caffemodel: layer 'one' \(InnerProduct\): expected a blob 0, found 0 blobs; give the weights that"),
        ([(3, 4), (3,)], r"net\.caffemodel: layer 'one' .*: expected blob 0 of shape \(3, 3\), found \(3, 4\); give"),
        ([(3, 3), (3,), (3,)], r"net\.caffemodel: layer 'one' \(InnerProduct\): expected 2 blobs, found 3; give"),
    ],
)
def test_weights_of_another_net_are_refused(shapes: list[tuple[int, ...]], message: str) -> None:
    with pytest.raises(ShapeError, match=f"^{message}"):
        assemble(with_blobs(*shapes))


def test_an_unknown_bottom_names_the_file() -> None:
    model = model_of(TEXT)
    model.net.layer[2].bottom[0] = "three"
    with pytest.raises(
        GraphError, match=r"^net\.caffemodel: layer 'two' \(InnerProduct\): unknown bottom blob 'three'"
    ):
        assemble(model)
