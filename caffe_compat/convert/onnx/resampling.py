"""Exports layers that resize, mask or unfold images as other Caffes do."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from caffe_compat.convert.onnx.graph import Graph
from caffe_compat.graph.wiring import Step


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
        _resampled(graph, part, *layer.weights(image, step.bottom_shapes[0], step.top_shapes[0]))
        for image, part in enumerate(parts)
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
