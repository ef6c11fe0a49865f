import pytest

from caffe_compat.convert.model import path_with_suffix
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
