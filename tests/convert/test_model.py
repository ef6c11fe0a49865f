from pathlib import Path

import pytest

import caffe_compat as caffe
from caffe_compat.convert.conversion import convert
from caffe_compat.convert.formats.caffemodel import write_caffemodel
from caffe_compat.convert.model import blob_keys, file_in_errors, path_with_suffix
from caffe_compat.errors import GraphError, ShapeError, UnknownLayerError
from tests.convert.models import model_of


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("a/net.caffemodel", "a/net.onnx"),
        ("net.caffemodel.h5", "net.onnx"),
        ("net.v2.pt", "net.v2.onnx"),
        ("net.weights", "net.weights.onnx"),
    ],
)
def test_endings_of_weights_files_are_replaced(path: str, expected: str) -> None:
    assert path_with_suffix(path, ".onnx") == expected


def test_other_layers_leave_the_rest_of_the_net() -> None:
    model = model_of('name: "n" force_backward: true layer { name: "i" type: "Input" top: "a" }')
    model.net.input_dim.extend([1, 2])
    made = model.with_layers([], {})

    assert (made.net.name, made.net.force_backward, list(made.net.input_dim)) == ("n", True, [1, 2])
    assert not made.net.layer
    assert len(model.net.layer) == 1


TEXT = """
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 2 dim: 3 } } }
layer { name: "ip" type: "InnerProduct" bottom: "data" top: "ip" inner_product_param { num_output: 3 } }
"""


def test_the_source_goes_before_what_names_no_file() -> None:
    with pytest.raises(ShapeError, match=r"^a\.caffemodel: layer 'x': wrong$"), file_in_errors("a.caffemodel", None):
        raise ShapeError("layer 'x': wrong")


@pytest.mark.parametrize("message", ["a.caffemodel: wrong", "n.prototxt: wrong"])
def test_a_file_is_named_once(message: str) -> None:
    with pytest.raises(GraphError, match=f"^{message}$"), file_in_errors("a.caffemodel", "n.prototxt", None):
        raise GraphError(message)


@pytest.mark.parametrize("kind", ["load", "prototxt", "onnx"])
def test_a_layer_of_no_known_type(kind: str, tmp_path: Path) -> None:
    path = str(tmp_path / "a.caffemodel")
    model = model_of(TEXT)
    model.net.layer.add(name="x", type="Strange", bottom=["ip"], top=["x"])
    write_caffemodel(path, model)
    with pytest.raises(UnknownLayerError, match=rf"^{path}: layer 'x' \(Strange\): no layer of this type"):
        caffe.load(path) if kind == "load" else convert(path, kind)


def test_names_follow_pytorch_where_the_numbers_do() -> None:
    assert blob_keys("caffe.BN_1", "BN", 4) == [
        "caffe.BN_1.weight",
        "caffe.BN_1.bias",
        "caffe.BN_1.running_mean",
        "caffe.BN_1.running_var",
    ]
    assert blob_keys("conv1", "Convolution", 1) == ["conv1.weight"]


def test_sums_are_not_called_running_statistics() -> None:
    assert blob_keys("bn", "BatchNorm", 3) == ["bn.mean_sum", "bn.variance_sum", "bn.factor"]


def test_other_types_and_odd_counts_have_numbers() -> None:
    assert blob_keys("a", "LSTM", 3) == ["a.0", "a.1", "a.2"]
    assert blob_keys("a", "Convolution", 3) == ["a.0", "a.1", "a.2"]
