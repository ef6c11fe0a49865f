"""Comparisons as text, JSON and a page."""

import json
import re
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from caffe_compat.net.net import Net
from caffe_compat.parity.compare import compare
from caffe_compat.parity.comparison import Comparison
from caffe_compat.parity.html_page import write_page
from caffe_compat.parity.json_report import report_json
from caffe_compat.parity.layout import RANKS_IN_COLUMN, PlacedLayer, layer_graph, place
from caffe_compat.parity.own_runs import record_layers
from caffe_compat.parity.picture import NARROWEST, WIDEST, PixelGrid, draw_net
from caffe_compat.parity.text_table import conclusion, summary_lines, table_lines
from tests.parity.nets import inputs_of, net_of

BLOCK = """
layer {{ name: "data" type: "Input" top: "data" input_param {{ shape {{ dim: 2 dim: 3 dim: 5 dim: 4 }} }} }}
layer {{ name: "left<&>" type: "Convolution" bottom: "data" top: "a"
        convolution_param {{ num_output: 3 kernel_size: 3 pad: 1 }} }}
layer {{ name: "right" type: "Power" bottom: "data" top: "b" power_param {{ scale: {0} }} }}
layer {{ name: "sum" type: "Eltwise" bottom: "a" bottom: "b" top: "s" }}
layer {{ name: "end" type: "Softmax" bottom: "s" top: "end" }}
"""


def wrong() -> tuple[Net, Comparison]:
    net = net_of(BLOCK.format(1.5))
    other = record_layers(net_of(BLOCK.format(2)), inputs_of(net))
    other.notes.append("a note <here>")
    return net, compare(net, other)


def test_the_table_has_a_line_a_blob_and_may_leave_out_what_agrees() -> None:
    comparison = wrong()[1]
    lines = list(table_lines(comparison))
    assert lines[0].split()[:4] == ["layer", "type", "blob", "kind"]
    assert [line.split()[0] for line in lines[1:]] == ["data", "left<&>", "right", "sum", "end"]
    assert [line.split()[-1] for line in lines[1:]] == ["same", "same", "differs", "inherits", "inherits"]
    assert [line.split()[0] for line in table_lines(comparison, only_wrong=True)] == ["layer", "right", "sum", "end"]


def test_the_summary_names_the_first_that_differs_and_why() -> None:
    lines = list(summary_lines(wrong()[1]))
    assert lines[0] == "note: a note <here>"
    assert lines[-1].startswith(
        "first that differs: layer 'right' (Power), top b: scale: 2 explains the other side, ours"
    )


def test_a_notebook_shows_the_conclusion_and_marks_what_differs() -> None:
    page = wrong()[1]._repr_html_()
    assert "first that differs: layer &#39;right&#39;" in page
    assert re.findall(r'bold"><td[^>]*>([^<]+)<', page) == ["right"]


def test_overflow_of_what_fillers_drew_is_no_difference() -> None:
    net = net_of(BLOCK.format(1.5))
    other = record_layers(net, inputs_of(net))
    other.tops["right/b"] = np.full((2, 3, 5, 4), np.inf, np.float32)
    comparison = compare(net, other)
    assert conclusion(comparison).startswith("first that differs: layer 'right'")
    comparison.from_fillers = True
    assert conclusion(comparison) == (
        "nothing is proved about ours, exact, layer by layer: no weights were given, and with what fillers drew the "
        "values of layer 'right' (Power) become infinite; give trained weights with --weights"
    )


def test_agreement_is_said_in_a_sentence() -> None:
    net = net_of(BLOCK.format(1))
    assert conclusion(compare(net, record_layers(net, inputs_of(net)))) == (
        "the same as ours, exact, layer by layer: 4 of 4 layers"
    )


def test_what_is_not_compared_is_counted() -> None:
    net = net_of(BLOCK.format(1))
    other = record_layers(net, inputs_of(net))
    end = other.tops["end/end"]
    assert isinstance(end, np.ndarray)
    other.tops = {"right/b": other.tops["right/b"], "end/end": end + 1}
    comparison = compare(net, other)
    assert "not compared: 2 blobs that the other side does not show: left<&> -> a, sum -> s" in list(
        summary_lines(comparison)
    )
    assert "(or one of left<&>, sum, which the other side does not show)" in conclusion(comparison)


def test_json_holds_every_figure_and_no_infinities() -> None:
    net = net_of(BLOCK.format(1))
    other = record_layers(net, inputs_of(net))
    other.tops["end/end"] = np.zeros((2, 3), np.float32)
    report = json.loads(json.dumps(report_json(compare(net, other), "a net"), allow_nan=False))
    assert report["agrees"] is False
    assert report["max_error"] is None
    assert report["first_wrong"]["layer"] == "end"
    assert report["first_wrong"]["verdict"] == "other shape"
    assert report["differences"][1]["net"] == {"largest": 0.0, "relative": 0.0, "cosine": pytest.approx(1)}
    assert report["net"] == "a net"


def test_the_page_stands_alone_escapes_names_and_links_the_first_wrong_layer(tmp_path: Path) -> None:
    write_page(*wrong(), tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text()
    assert "<script" not in page
    assert not re.search(r'(src|href)="(?!#)', page)
    assert "left<&>" not in page
    assert "a note &lt;here&gt;" in page
    for anchor in re.findall(r'href="#([^"]+)"', page):
        assert f'id="{anchor}"' in page
    assert page.count('id="first-in-picture"') == 1
    assert 'aria-label="right, Power: differs, the first that differs"' in page


def test_the_picture_is_sound_xml_with_a_box_a_layer(tmp_path: Path) -> None:
    write_page(*wrong(), tmp_path / "page.html")
    svg = re.search(r"<svg.*?</svg>", (tmp_path / "page.html").read_text(), re.DOTALL)
    assert svg is not None
    root = ElementTree.fromstring(svg[0])
    boxes = [box.get("class") for box in root.iter("{http://www.w3.org/2000/svg}rect") if "box" in box.get("class", "")]
    assert boxes == ["box same", "box same", "box differs", "box inherits", "box inherits"]
    assert len([path for path in root.iter("{http://www.w3.org/2000/svg}path")]) == 5


def test_a_page_of_agreement_has_no_alarm(tmp_path: Path) -> None:
    net = net_of(BLOCK.format(1))
    write_page(net, compare(net, record_layers(net, inputs_of(net))), tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text()
    assert 'class="result"' in page
    assert "first-in-picture" not in page.replace("#first-in-picture { scroll", "")


class TestLayout:
    def test_branches_stand_side_by_side_below_what_they_read(self) -> None:
        nodes = {node.name: node for node in place(layer_graph(net_of(BLOCK.format(1))))}
        assert [nodes[name].row for name in ("data", "left<&>", "right", "sum", "end")] == [0, 1, 1, 2, 3]
        assert nodes["left<&>"].lane != nodes["right"].lane
        assert nodes["sum"].parents == (1, 2)

    def test_no_two_layers_share_a_place_in_a_long_net(self, tmp_path: Path) -> None:
        layers = [BLOCK.format(1)]
        for number in range(250):
            before = "end" if number == 0 else f"r{number - 1}"
            layers.append(f'layer {{ name: "t{number}" type: "TanH" bottom: "{before}" top: "t{number}" }}')
            layers.append(
                f'layer {{ name: "r{number}" type: "Eltwise" bottom: "t{number}" bottom: "{before}" top: "r{number}" }}'
            )
        net = net_of("\n".join(layers))
        nodes = place(layer_graph(net))
        assert len({(node.column, node.row, node.lane) for node in nodes}) == len(nodes) == 505
        assert max(node.row for node in nodes) == RANKS_IN_COLUMN - 1
        write_page(net, compare(net, record_layers(net, inputs_of(net))), tmp_path / "long.html")
        assert (tmp_path / "long.html").stat().st_size < 1_000_000
        assert 'class="overview"' in (tmp_path / "long.html").read_text()

    def test_a_long_net_of_few_branches_needs_one_lane(self) -> None:
        layers, last = [BLOCK.format(1)], "end"
        for number in range(120):
            layers.append(f'layer {{ name: "t{number}" type: "TanH" bottom: "{last}" top: "t{number}" }}')
            last = f"t{number}"
        nodes = place(layer_graph(net_of("\n".join(layers))))
        assert {node.lane for node in nodes} == {0}
        rows = {node.number: (node.column, node.row) for node in nodes}
        assert len(set(rows.values())) == len(nodes) == 125
        assert all(rows[parent] < rows[node.number] for node in nodes for parent in node.parents)

    def test_boxes_are_as_wide_as_names_ask_for(self) -> None:
        short, usual, long = (
            PixelGrid([PlacedLayer(0, name, "TanH", ())]) for name in ("a", "conv4_22/3x3_reduce/bn/scale", "x" * 99)
        )
        assert short.box_width(short.nodes[0]) == NARROWEST
        assert NARROWEST < usual.box_width(usual.nodes[0]) < long.box_width(long.nodes[0]) == WIDEST
        drawing = draw_net(usual.nodes, [], None)
        assert ">conv4_22/3x3_reduce/bn/scale<" in drawing
        assert "…" in draw_net(long.nodes, [], None)
