"""Exports layers that reduce an axis: Reduction, BatchReduction and ArgMax."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np

from caffe_compat.convert.onnx.elementwise import affine
from caffe_compat.convert.onnx.graph import Graph
from caffe_compat.convert.onnx.shaping import cut, reverse
from caffe_compat.graph.wiring import Step


def softmax(graph: Graph, step: Step, bottom: str) -> str:
    layer: Any = step.layer
    return graph.op("Softmax", bottom, axis=layer.axis % len(step.bottom_shapes[0]))


def reduction(graph: Graph, step: Step, bottom: str) -> str:
    """coeff times the reduction of all axes from `axis` on, as one."""
    layer: Any = step.layer
    shape = step.bottom_shapes[0]
    axis = layer.axis % len(shape)
    operation = layer.spec.params("reduction_param").operation
    flat = graph.reshape(bottom, (*shape[:axis], int(np.prod(shape[axis:]))))
    return affine(graph, reduced(graph, flat, axis, operation, layer.k), layer.coefficient, 0)


def batch_reduction(graph: Graph, step: Step, bottom: str) -> str:
    """Pieces of one axis, level by level."""
    layer: Any = step.layer
    axis = layer.axis % len(step.bottom_shapes[0])
    if axis == 0:
        graph.require_fixed_batch(step, "it reduces the batch")
    if layer.levels == [1]:
        return reduced(graph, bottom, axis, layer.operation, layer.k)
    ends = np.cumsum([0] + [level * level for level in layer.levels]).tolist()
    pieces = [cut(graph, bottom, axis, start, end) for start, end in pairwise(ends)]
    tops = [reduced(graph, piece, axis, layer.operation, layer.k) for piece in pieces]
    return graph.op("Concat", *(graph.op("Unsqueeze", top, graph.ints(axis)) for top in tops), axis=axis)


def reduced(graph: Graph, value: str, axis: int, operation: str, k: int) -> str:
    """Returns the value reduced along one axis, without this axis."""
    return top_k_mean(graph, value, axis, k) if operation == "TOPK" else REDUCTIONS[operation](graph, value, axis)


def _sum(graph: Graph, value: str, axis: int) -> str:
    return graph.op("ReduceSum", value, graph.ints(axis), keepdims=0)


def _absolute_sum(graph: Graph, value: str, axis: int) -> str:
    return _sum(graph, graph.op("Abs", value), axis)


def _sum_of_squares(graph: Graph, value: str, axis: int) -> str:
    return _sum(graph, graph.op("Mul", value, value), axis)


def _mean(graph: Graph, value: str, axis: int) -> str:
    return graph.op("ReduceMean", value, graph.ints(axis), keepdims=0)


REDUCTIONS: dict[str, Callable[[Graph, str, int], str]] = {
    "SUM": _sum,
    "ASUM": _absolute_sum,
    "SUMSQ": _sum_of_squares,
    "MEAN": _mean,
}


def top_k_mean(graph: Graph, value: str, axis: int, k: int) -> str:
    """The mean of the k largest."""
    largest, _ = graph.ops("TopK", [value, graph.ints(k)], 2, axis=axis)
    return _mean(graph, largest, axis)


def argmax(graph: Graph, step: Step, bottom: str) -> str:
    """Exports an ArgMax; the axis is reversed, since Caffe prefers the last of equal values and ONNX the first."""
    layer: Any = step.layer
    shape = step.bottom_shapes[0]
    if layer.axis is not None:
        indices, values = _largest(graph, bottom, layer.axis % len(shape), shape[layer.axis], layer.top_k)
        return values if layer.out_max_val else indices
    size = int(np.prod(shape[1:]))
    indices, values = _largest(graph, graph.reshape(bottom, (shape[0], size)), 1, size, layer.top_k)
    rows = [indices, values] if layer.out_max_val else [indices]
    columns = [graph.op("Unsqueeze", row, graph.ints(1)) for row in rows]
    return graph.reshape(graph.op("Concat", *columns, axis=1), step.top_shapes[0])


def _largest(graph: Graph, value: str, axis: int, size: int, k: int) -> tuple[str, str]:
    """Indices, as floats, and values of the k largest along an axis."""
    values, places = graph.ops("TopK", [reverse(graph, value, axis), graph.ints(k)], 2, axis=axis)
    indices = graph.op("Sub", graph.ints(size - 1), places)
    return graph.op("Cast", indices, to=1), values
