"""What notebooks show: tables that fold, escaped names, and pictures of maps."""

import base64
import re
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

import caffe_compat
from caffe_compat.net.blob import Blob, ParameterBlob
from caffe_compat.pages.notebook import blob_html, notebook_table
from tests.data.made_files import decode_picture

NET = """name: "<small>" input: "data" input_shape { dim: 2 dim: 3 dim: 5 dim: 6 }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv"
        convolution_param { num_output: 4 kernel_size: 2 weight_filler { type: "xavier" } } }
layer { name: "relu" type: "ReLU" bottom: "conv" top: "conv" }"""


def picture_of(html: str) -> NDArray[Any]:
    match = re.search(r'src="data:image/png;base64,([^"]+)"', html)
    assert match
    picture = decode_picture(base64.b64decode(match[1]), cv2.IMREAD_GRAYSCALE)
    assert picture is not None
    return picture


def test_long_tables_fold_and_names_are_escaped() -> None:
    page = notebook_table(
        "a<b", "said", ("n", "verdict"), [(f"row{n}", "bad" if n == 3 else "good") for n in range(37)], marked="bad"
    )
    assert "a&lt;b" in page
    assert "7 more rows" in page
    assert len(re.findall("<tr", page)) == 37 + 2
    assert re.findall(r'bold"><td[^>]*>(\w+)<', page) == ["row3"]


def test_a_blob_shows_its_range_and_its_maps() -> None:
    values = np.zeros((2, 5, 3, 4), np.float32)
    values[0, 1] = np.arange(12).reshape(3, 4)
    values[1, 0, 0, 0], values[1, 0, 0, 1] = np.nan, -2
    page = blob_html("Blob", values)
    assert "Blob 2x5x3x4" in page
    assert "-2 to 11, mean" in page
    assert "1 NaN or infinite" in page
    picture = picture_of(page)
    assert picture.shape == (2 * 74, 4 * 98)  # maps of 72 x 96 and a border, four in a row
    assert picture[1, 98 + 1] == 0
    assert picture[72, 2 * 98 - 2] == 255


@pytest.mark.parametrize("values", [np.float32(3.5), np.ones((4, 3), np.float32), np.ones((0, 1, 2, 2), np.float32)])
def test_other_shapes_have_no_picture(values: NDArray[np.float32]) -> None:
    assert "<img" not in blob_html("Blob", np.asarray(values))


def test_looking_at_a_blob_hands_out_no_array() -> None:
    blob = Blob((2, 3), torch.device("cpu"))
    assert "2x3" in blob._repr_html_()
    assert not blob.value.is_looked_at
    weights = ParameterBlob(torch.nn.Parameter(torch.full((3, 2), 0.25)))
    assert "weights 3x2" in weights._repr_html_()
    assert not weights.is_held


def test_a_net_and_a_module_show_their_layers(tmp_path: Any) -> None:
    (tmp_path / "net.prototxt").write_text(NET)
    net = caffe_compat.Net(str(tmp_path / "net.prototxt"), caffe_compat.TEST)
    page = net._repr_html_()
    assert "Net &lt;small&gt;" in page
    assert "3 layers, 52 weights. Inputs: data 2x3x5x6. Outputs: conv." in page
    assert re.findall(r"<td[^>]*>([^<]*)</td>", page)[6:12] == ["conv", "Convolution", "data", "conv", "2x4x4x5", "52"]
    net.save(str(tmp_path / "w.caffemodel"))
    module = caffe_compat.load(str(tmp_path / "w.caffemodel"), prototxt=str(tmp_path / "net.prototxt"))
    assert "52 weights, engine fast, evaluation. Inputs: data. Outputs: conv." in module._repr_html_()
