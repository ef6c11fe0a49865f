"""Exports layers of other Caffes that resize, mask or unfold images, or pool regions (index, x1, y1, x2, y2)."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from caffe_compat.convert.onnx.graph import Graph
from caffe_compat.graph.wiring import Step
from caffe_compat.layers.vision.psroi_pooling import LEAST_EXTENT

#: ONNX's number for float32.
FLOAT = 1


def reorg(graph: Graph, step: Step, bottom: str) -> str:
    """Reorg: blocks of places to channels or back, in Darknet's order."""
    layer: Any = step.layer
    batch, channels, height, width = step.bottom_shapes[0]
    stride, groups = layer.stride, channels // layer.stride**2
    if layer.reverse:
        shape, order = (batch, stride, stride, groups, height, width), [0, 3, 4, 1, 5, 2]
    else:
        shape, order = (batch, groups, height, stride, width, stride), [0, 3, 5, 1, 2, 4]
    return graph.reshape(graph.op("Transpose", graph.reshape(bottom, shape), perm=order), step.top_shapes[0])


def mask_pooling(graph: Graph, _step: Step, bottom: str, mask: str) -> str:
    return graph.op("Mul", bottom, mask)


def mask_resize(graph: Graph, step: Step, bottom: str) -> str:
    layer: Any = step.layer
    rows, columns = layer.weights(torch.empty(step.bottom_shapes[0]), step.top_shapes[0][2:])
    return _resampled(graph, bottom, rows.numpy(), columns.numpy())


def imresize(graph: Graph, step: Step, bottom: str) -> str:
    """The mean of the images, each enlarged by matrices of its own."""
    layer: Any = step.layer
    graph.require_fixed_batch(step, "it averages the images of the batch, each at its own scale")
    images = step.bottom_shapes[0][0]
    parts = graph.ops("Split", [bottom, graph.ints(*[1] * images)], images, axis=0) if images > 1 else [bottom]
    larger = [
        _resampled(graph, part, rows.numpy(), columns.numpy())
        for image, part in enumerate(parts)
        for rows, columns in [layer.weights(image, step.bottom_shapes[0], step.top_shapes[0])]
    ]
    return graph.op("Mean", *larger)


def unpooling(graph: Graph, step: Step, bottom: str, mask: str = "") -> str:
    """MAX with a mask writes to the mask's places; the other kinds are matrices along height and width."""
    layer: Any = step.layer
    if mask:
        return scattered(graph, step, bottom, mask)
    rows, columns = layer.weights(torch.empty(step.bottom_shapes[0]), step.top_shapes[0][2:])
    return _resampled(graph, bottom, rows.numpy(), columns.numpy())


def scattered(graph: Graph, step: Step, bottom: str, mask: str) -> str:
    """Writes values to the positions in a Pooling's mask; other places are 0."""
    graph.require_fixed_batch(step, "ONNX scatters into zeros of a fixed shape")
    batch, channels, height, width = step.top_shapes[0]
    flat = (batch, channels, int(np.prod(step.bottom_shapes[0][2:])))
    zeros = graph.constant(np.zeros((batch, channels, height * width), np.float32))
    places = graph.op("Cast", graph.reshape(mask, flat), to=7)
    top = graph.op("ScatterElements", zeros, places, graph.reshape(bottom, flat), axis=2)
    return graph.reshape(top, step.top_shapes[0])


def _resampled(graph: Graph, bottom: str, rows: NDArray[Any], columns: NDArray[Any]) -> str:
    lines = graph.op("MatMul", graph.constant(rows.astype(np.float32)), bottom)
    return graph.op("MatMul", lines, graph.constant(np.ascontiguousarray(columns.T, np.float32)))


def roi_pooling(graph: Graph, step: Step, features: str, regions: str) -> str:
    layer: Any = step.layer
    rows = graph.op("Reshape", regions, graph.ints(-1, 5))
    return graph.op("MaxRoiPool", features, rows, pooled_shape=list(layer.bins), spatial_scale=layer.scale)


def psroi_pooling(graph: Graph, step: Step, features: str, regions: str) -> str:
    """Means along height and width as products with matrices, which say what each place adds to each bin."""
    layer: Any = step.layer
    graph.require_fixed_batch(step, "regions count through its images")
    images, _, height, width = step.bottom_shapes[0]
    regions = graph.op("Reshape", regions, graph.ints(-1, 5))
    index, x1, y1, x2, y2 = graph.ops("Split", [regions, graph.ints(1, 1, 1, 1, 1)], 5, axis=1)
    own = graph.op("Cast", graph.op("Equal", index, graph.floats(*map(float, range(images)))), to=FLOAT)
    rows = _bin_shares(graph, layer, (y1, y2), height)
    columns = _bin_shares(graph, layer, (x1, x2), width)
    of_bins = graph.reshape(features, (images, layer.outputs, layer.bins, layer.bins, height, width))
    narrow = graph.op("Einsum", of_bins, columns, equation="ncijhw,rjw->nrcijh")
    means = graph.op("Einsum", narrow, rows, equation="nrcijh,rih->nrcij")
    return graph.op("Einsum", means, own, equation="nrcij,rn->rcij")


def _bin_shares(graph: Graph, layer: Any, ends: tuple[str, str], size: int) -> str:
    """Shares (regions, bins, size) of the places in the mean over each bin, for first and last pixels (regions, 1)."""
    first, last = (_rounded(graph, end) for end in ends)
    start = graph.op("Mul", first, graph.number(layer.scale))
    end = graph.op("Mul", graph.op("Add", last, graph.number(1.0)), graph.number(layer.scale))
    extent = graph.op("Max", graph.op("Sub", end, start), graph.number(LEAST_EXTENT))
    step = graph.op("Div", extent, graph.number(float(layer.bins)))
    bins = np.arange(layer.bins, dtype=np.float32)
    low, high = (
        graph.op("Unsqueeze", graph.op("Add", graph.op("Mul", step, graph.constant(index)), start), graph.ints(2))
        for index in (bins, bins + 1)
    )
    place = graph.constant(np.arange(size, dtype=np.float32))
    begun = graph.op("GreaterOrEqual", place, graph.op("Floor", low))
    inside = graph.op("And", begun, graph.op("Less", place, graph.op("Ceil", high)))
    members = graph.op("Cast", inside, to=FLOAT)
    count = graph.op("Max", graph.op("ReduceSum", members, graph.ints(2)), graph.number(1.0))
    return graph.op("Div", members, count)


def _rounded(graph: Graph, value: str) -> str:
    """Rounds halves away from zero, as C does."""
    size = graph.op("Floor", graph.op("Add", graph.op("Abs", value), graph.number(0.5)))
    return graph.op("Mul", graph.op("Sign", value), size)
