"""What the page holds; the browser's side is in test_explorer.py."""

import json
import re

import cv2
import numpy as np
import pytest

from caffe_compat.cli.commands import summary, view
from caffe_compat.errors import FormatError, ShapeError
from caffe_compat.view.nets import read_shown_net
from caffe_compat.view.page import page_data, write_net_page
from caffe_compat.view.parity_report import read_parity
from caffe_compat.view.weight_facts import blob_facts, filters_png
from tests.data.made_files import decode_picture

NET = """name: "n" input: "data" input_shape { dim: 1 dim: 3 dim: 8 dim: 8 }
layer { name: "</script><b>" type: "ReLU" bottom: "data" top: "out" }
layer { name: "conv" type: "Convolution" bottom: "out" top: "conv" convolution_param { num_output: 2 kernel_size: 3 } }
"""


@pytest.fixture
def net(tmp_path):
    path = tmp_path / "n.prototxt"
    path.write_text(NET)
    return path


def test_names_cannot_leave_the_script(net, tmp_path):
    write_net_page(tmp_path / "n.html", read_shown_net(net))
    text = (tmp_path / "n.html").read_text()
    (data,) = re.findall(r'<script type="application/json" id="page-data">(.*?)</script>', text, re.DOTALL)
    assert json.loads(data)["variants"][0]["layers"][1]["name"] == "</script><b>"
    assert "<b>" not in text


def test_parity_colours_the_layers(net, tmp_path):
    rows = [
        {"layer": "conv", "verdict": "differs", "net": {"relative": None}},
        {"layer": "conv", "verdict": "same", "net": {"relative": 1e-7}},
    ]
    (tmp_path / "p.json").write_text(json.dumps({"differences": rows}))
    parity = read_parity(tmp_path / "p.json")
    assert parity == {"conv": {"verdict": "differs", "error": "not finite"}}
    layers = {one["name"]: one for one in page_data(read_shown_net(net), None, parity)["variants"][0]["layers"]}
    assert layers["conv"]["parity"]["verdict"] == "differs"
    assert "parity" not in layers["</script><b>"]


def test_a_file_that_is_no_parity_report(tmp_path):
    (tmp_path / "p.json").write_text("[1]")
    with pytest.raises(FormatError, match=r"p.json: expected a parity report, as `caffe-compat verify --json FILE`"):
        read_parity(tmp_path / "p.json")


def test_a_net_that_does_not_fit_is_named_with_its_file(tmp_path):
    (tmp_path / "n.prototxt").write_text(NET.replace("kernel_size: 3", "kernel_size: 9"))
    with pytest.raises(ShapeError, match=r"n.prototxt: layer 'conv' .* at least one window, .*; give a larger input"):
        read_shown_net(tmp_path / "n.prototxt")


def test_a_folder_without_nets(tmp_path):
    with pytest.raises(FormatError, match=r": expected nets in this folder \(\*trainval.prototxt, \*test.prototxt\), "):
        read_shown_net(tmp_path)


def test_histograms_count_every_finite_value():
    facts = blob_facts(np.array([[1.0, 2.0], [3.0, np.inf]], dtype=np.float32))
    assert (facts.shape, facts.least, facts.most, sum(facts.counts)) == ((2, 2), 1.0, 3.0, 3)


def test_filters_are_tiles_with_grey_as_zero():
    weight = np.zeros((5, 1, 3, 4), dtype=np.float32)
    weight[0, 0, 1, 2] = 0.5
    sheet = decode_picture(filters_png(weight), cv2.IMREAD_GRAYSCALE)
    assert sheet.shape == (2 * 4 + 1, 3 * 5 + 1)
    assert sheet[2, 3] == 255
    assert np.count_nonzero(sheet == 128) == sheet.size - 1


def test_the_summary_prints_totals_and_json(net, tmp_path, capsys):
    assert summary.main([str(net), "--json", str(tmp_path / "s.json")]) == 0
    printed = capsys.readouterr().out
    assert "3 layers, 56 parameters, 1.94 k multiply-adds for a forward pass, 1.8 KiB of tops in float32" in printed
    (variant,) = json.loads((tmp_path / "s.json").read_text())
    assert variant["layers"][-1]["top_shapes"] == [[1, 2, 6, 6]]


def test_a_missing_file_is_one_line(tmp_path, capsys):
    assert view.main([str(tmp_path / "none.prototxt")]) == 1
    assert capsys.readouterr().err.count("\n") == 1
