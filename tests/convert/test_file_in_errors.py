from pathlib import Path

import pytest

import caffe_compat as caffe
from caffe_compat.convert.conversion import convert
from caffe_compat.convert.file_in_errors import file_in_errors
from caffe_compat.convert.formats.caffemodel import write_caffemodel
from caffe_compat.errors import GraphError, ShapeError, UnknownLayerError
from tests.convert.models import model_of

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
