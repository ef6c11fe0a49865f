"""caffe.draw: by Graphviz where it is, else plainly."""

import importlib.util
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from caffe_compat.errors import MissingFeatureError
from caffe_compat.pycaffe import draw
from tests.pycaffe.drawn_net import drawn_net

needs_pydot = pytest.mark.skipif(importlib.util.find_spec("pydot") is None, reason="pydot is an extra")


def test_labels_are_quoted_for_graphviz() -> None:
    convolution, relu = drawn_net().layer[2:4]
    assert draw.get_layer_label(relu, "LR") == r'"relu\n(ReLU)"'
    assert draw.get_edge_label(convolution) == "6"
    assert draw.get_edge_label(relu) == '""'
    assert draw.choose_color_by_layertype("InnerProduct") == "#CC33FF"
    assert draw.get_layer_lr_mult(convolution) == (0.5, 1)
    assert draw.get_pooling_types_dict() == {0: "MAX", 1: "AVE", 2: "STOCHASTIC"}


@needs_pydot
def test_the_graph_has_every_node_and_edge() -> None:
    graph = draw.get_pydot_graph(drawn_net(), "TB", phase=1)
    assert graph.get_rankdir() == "TB"
    assert graph.get_name() == '"drawn"'
    assert len(graph.get_nodes()) == 9
    assert len(graph.get_edges()) == 9
    (convolution,) = graph.get_node('"conv (Convolution) kernel size: 3 stride: 2 pad: 1"')
    assert convolution.get_fillcolor() == '"#FF5050"'


@needs_pydot
def test_raw_is_graphvizs_text(tmp_path: Path) -> None:
    draw.draw_net_to_file(drawn_net(), str(tmp_path / "net.raw"), "LR")
    assert (tmp_path / "net.raw").read_text().startswith('digraph "drawn"')


@pytest.mark.parametrize("missing", ["dot", "pydot"])
def test_without_graphviz_a_plain_picture_is_drawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    monkeypatch.setattr(shutil, "which", lambda program: None if missing == "dot" else "/usr/bin/dot")
    if missing == "pydot":
        monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    draw.draw_net_to_file(drawn_net(), str(tmp_path / "net.png"))
    assert (tmp_path / "net.png").read_bytes().startswith(b"\x89PNG")


def test_with_graphviz_it_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    def create(format: object) -> bytes:
        asked.append(format)
        return b"picture"

    graph = SimpleNamespace(create=create)
    monkeypatch.setattr(shutil, "which", lambda program: "/usr/bin/dot")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())
    monkeypatch.setattr(draw, "get_pydot_graph", lambda *arguments: graph)
    assert draw.draw_net(drawn_net(), "LR", "pdf") == b"picture"
    assert asked == ["pdf"]


def test_a_missing_pydot_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pydot", None)
    with pytest.raises(MissingFeatureError, match=r"^drawing with Graphviz needs pydot; install it with pip install"):
        draw.get_pydot_graph(drawn_net(), "LR")
