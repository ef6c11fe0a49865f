"""A net as nodes and edges to draw, with pycaffe's labels and colours."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from caffe_compat.errors import GraphError
from caffe_compat.proto import caffe_pb2

LAYER_COLOURS = {
    "Convolution": "#FF5050",
    "Deconvolution": "#FF5050",
    "Pooling": "#FF9900",
    "InnerProduct": "#CC33FF",
}
LAYER_COLOUR = "#6495ED"
IN_PLACE_COLOUR = "#90EE90"
BLOB_COLOUR = "#E0E0E0"
LEARNING_TYPES = ("Convolution", "Deconvolution", "InnerProduct")
WINDOW_TYPES = ("Convolution", "Deconvolution", "Pooling")


@dataclass
class DrawnNode:
    """A layer or a blob; an empty colour means a blob that no layer reads."""

    label: str
    shape: str
    colour: str


@dataclass
class Drawing:
    """Nodes by key, and edges as (from, to, label)."""

    nodes: dict[str, DrawnNode] = field(default_factory=dict)
    edges: list[tuple[str, str, str]] = field(default_factory=list)


def drawing_of(
    net: caffe_pb2.NetParameter, rankdir: str, label_edges: bool, phase: int | None, display_lrm: bool
) -> Drawing:
    """The layers of a phase (None: all) with their blobs."""
    drawing = Drawing()
    for layer in net.layer:
        if phase is None or _is_in_phase(layer, phase):
            _add_layer(drawing, layer, layer_label(layer, rankdir, display_lrm), label_edges)
    return drawing


def _add_layer(drawing: Drawing, layer: caffe_pb2.LayerParameter, label: str, label_edges: bool) -> None:
    key = f"{layer.name}_{layer.type}"
    in_place = len(layer.bottom) == 1 and list(layer.bottom) == list(layer.top)
    drawing.nodes[key] = DrawnNode(
        label, "record", IN_PLACE_COLOUR if in_place else LAYER_COLOURS.get(layer.type, LAYER_COLOUR)
    )
    for bottom in layer.bottom:
        drawing.nodes[f"{bottom}_blob"] = DrawnNode(bottom, "octagon", BLOB_COLOUR)
        drawing.edges.append((f"{bottom}_blob", key, ""))
    for top in layer.top:
        if not in_place:
            drawing.nodes[f"{top}_blob"] = DrawnNode(top, "ellipse", "")
        drawing.edges.append((key, f"{top}_blob", edge_label(layer) if label_edges else ""))


def _is_in_phase(layer: caffe_pb2.LayerParameter, phase: int) -> bool:
    if layer.include and layer.exclude:
        raise GraphError(f"layer '{layer.name}' ({layer.type}) has both include and exclude specified; give one kind")
    if layer.include:
        return any(rule.phase == phase for rule in layer.include)
    return not any(rule.phase == phase for rule in layer.exclude)


def edge_label(layer: caffe_pb2.LayerParameter) -> str:
    """What flows out of a layer: the batch of a Data layer, the channels of a learning one."""
    if layer.type == "Data":
        return f"Batch {layer.data_param.batch_size}"
    if layer.type in ("Convolution", "Deconvolution"):
        return str(layer.convolution_param.num_output)
    return str(layer.inner_product_param.num_output) if layer.type == "InnerProduct" else ""


def layer_lr_mult(layer: caffe_pb2.LayerParameter) -> tuple[float, float]:
    """The learning rate multipliers of weights and biases."""
    if layer.type not in LEARNING_TYPES:
        raise GraphError(f"layer '{layer.name}' ({layer.type}) has no learning rate multiplier")
    weights, biases = ([spec.lr_mult for spec in layer.param] + [1.0, 1.0])[:2]
    return weights, biases


def layer_label(layer: caffe_pb2.LayerParameter, rankdir: str, display_lrm: bool) -> str:
    """Name, type and window of a layer; `rankdir` is the direction of the graph: LR, TB or BT."""
    separator = " " if rankdir in ("TB", "BT") else r"\n"  # upright graphs have room for wide labels
    return separator.join(_descriptions(layer, separator, display_lrm))


def _descriptions(layer: caffe_pb2.LayerParameter, separator: str, display_lrm: bool) -> Iterator[str]:
    yield layer.name
    pooling = layer.pooling_param
    method = f" {caffe_pb2.PoolingParameter.PoolMethod.Name(pooling.pool)}" if layer.type == "Pooling" else ""
    yield f"({layer.type}{method})"
    if layer.type in WINDOW_TYPES:
        kernel, stride, pad = _window(layer)
        yield separator.join((f"kernel size: {kernel}", f"stride: {stride}", f"pad: {pad}"))
    if display_lrm and layer.type in LEARNING_TYPES and any(layer_lr_mult(layer)):
        yield "lr mult: {:.1f}, {:.1f}".format(*layer_lr_mult(layer))


def _window(layer: caffe_pb2.LayerParameter) -> tuple[int, int, int]:
    if layer.type == "Pooling":
        pooling = layer.pooling_param
        return pooling.kernel_size, pooling.stride, pooling.pad
    convolution = layer.convolution_param
    return (
        next(iter(convolution.kernel_size), 1),
        next(iter(convolution.stride), 1),
        next(iter(convolution.pad), 0),
    )
