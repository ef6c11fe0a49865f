"""Draws nets (pycaffe's draw) with Graphviz and pydot if they are installed, else with matplotlib."""

import importlib.util
import os
import shutil
from typing import Any

from caffe_compat.errors import MissingFeatureError
from caffe_compat.proto import caffe_pb2
from caffe_compat.proto.file_bytes import write_bytes
from caffe_compat.pycaffe.net_drawing import LAYER_COLOUR, LAYER_COLOURS, DrawnNode, drawing_of, edge_label, layer_label
from caffe_compat.pycaffe.net_drawing import layer_lr_mult as get_layer_lr_mult
from caffe_compat.pycaffe.plain_picture import plain_picture

__all__ = [
    "choose_color_by_layertype",
    "draw_net",
    "draw_net_to_file",
    "get_edge_label",
    "get_layer_label",
    "get_layer_lr_mult",
    "get_pooling_types_dict",
    "get_pydot_graph",
]


def choose_color_by_layertype(layertype: str) -> str:
    """Returns a layer's colour as #RRGGBB."""
    return LAYER_COLOURS.get(layertype, LAYER_COLOUR)


def get_pooling_types_dict() -> dict[int, str]:
    """Returns the names of the pooling methods by their numbers."""
    return {number: name for name, number in caffe_pb2.PoolingParameter.PoolMethod.items()}


def get_edge_label(layer: caffe_pb2.LayerParameter) -> str:
    """Returns a layer's edge label, quoted: the batch size of a Data layer, the outputs of a learning layer, or ""."""
    return edge_label(layer) or _quoted("")


def get_layer_label(layer: caffe_pb2.LayerParameter, rankdir: str, display_lrm: bool = False) -> str:
    """Returns name, type and window of a layer, quoted for Graphviz; `rankdir` is the direction: LR, TB or BT."""
    return _quoted(layer_label(layer, rankdir, display_lrm))


def get_pydot_graph(
    caffe_net: caffe_pb2.NetParameter,
    rankdir: str,
    label_edges: bool = True,
    phase: int | None = None,
    display_lrm: bool = False,
) -> Any:
    """Returns a pydot graph of a net; `rankdir` is LR, TB or BT.

    `phase` restricts the layers to one phase; `display_lrm` adds learning rate multipliers.
    """
    pydot = _pydot()
    drawing = drawing_of(caffe_net, rankdir, label_edges, phase, display_lrm)
    graph = pydot.Dot(_quoted(caffe_net.name or "Net"), graph_type="digraph", rankdir=rankdir)
    nodes = {key: pydot.Node(_quoted(node.label), **_style(node)) for key, node in drawing.nodes.items()}
    for node in nodes.values():
        graph.add_node(node)
    for start, end, label in drawing.edges:
        graph.add_edge(pydot.Edge(nodes[start], nodes[end], label=_quoted(label)))
    return graph


def draw_net(
    caffe_net: caffe_pb2.NetParameter,
    rankdir: str,
    ext: str = "png",
    phase: int | None = None,
    display_lrm: bool = False,
) -> bytes:
    """Returns the picture's bytes in the format png, pdf, svg or jpg; `raw` and `dot` are Graphviz's text."""
    if ext in ("raw", "dot"):
        text: str = get_pydot_graph(caffe_net, rankdir, True, phase, display_lrm).to_string()
        return text.encode()
    if shutil.which("dot") is None or importlib.util.find_spec("pydot") is None:
        return plain_picture(drawing_of(caffe_net, rankdir, True, phase, display_lrm), rankdir, ext)
    picture: bytes = get_pydot_graph(caffe_net, rankdir, True, phase, display_lrm).create(format=ext)
    return picture


def draw_net_to_file(
    caffe_net: caffe_pb2.NetParameter,
    filename: str,
    rankdir: str = "LR",
    phase: int | None = None,
    display_lrm: bool = False,
) -> None:
    """Writes the picture to a file in the format of the file's suffix."""
    picture = draw_net(caffe_net, rankdir, os.path.splitext(filename)[1][1:], phase, display_lrm)
    write_bytes(filename, [picture])


def _style(node: DrawnNode) -> dict[str, str]:
    if not node.colour:
        return {}
    return {"shape": node.shape, "fillcolor": _quoted(node.colour), "style": "filled"}


def _quoted(text: str) -> str:
    # Quotes are needed, since Graphviz reads a colon in a name as a port.
    return f'"{text}"'


def _pydot() -> Any:
    try:
        return importlib.import_module("pydot")
    except ModuleNotFoundError as error:
        raise MissingFeatureError("drawing with Graphviz needs pydot; install it with pip install pydot") from error
