"""Exports layers that reduce an axis or divide by a statistic of it: Reduction, ArgMax, BatchNorm, LRN, MVN ..."""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from caffe_compat.convert.model import Shape
from caffe_compat.convert.onnx.elementwise import affine
from caffe_compat.convert.onnx.graph import Graph
from caffe_compat.convert.onnx.shaping import cut, reverse
from caffe_compat.graph.wiring import Step
from caffe_compat.layers.normalization.bn import SegNetBN


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


def batch_norm(graph: Graph, step: Step, bottom: str, scale: Step | None = None) -> str:
    """Exports a BatchNorm, with stored or with the batch's statistics, and a Scale fused into it."""
    layer: Any = step.layer
    shape = step.bottom_shapes[0]
    value = graph.reshape(bottom, (shape[0], 1)) if len(shape) == 1 else bottom
    if layer.uses_global_statistics:
        slopes = _slopes(graph, layer.channels, scale)
        top = _normalise(graph, value, slopes, [_numbers(part) for part in layer.stored_statistics()], layer.eps)
    else:
        top = _by_batch(graph, step, value)
        if scale is not None:
            top = _scaled(graph, top, shape, _slopes(graph, layer.channels, scale))
    return graph.reshape(top, shape) if len(shape) == 1 else top


def _slopes(graph: Graph, channels: int, scale: Step | None) -> tuple[str, str]:
    """Slope and bias of every channel: those of a Scale, or 1 and 0."""
    slope = graph.constant(np.ones(channels, np.float32)) if scale is None else graph.weight(scale, 0)
    layer: Any = scale and scale.layer
    if scale is None or layer.bias_blob() is None:
        return slope, graph.constant(np.zeros(channels, np.float32))
    return slope, graph.weight(scale, 1)


def _scaled(graph: Graph, value: str, shape: Shape, slopes: Sequence[str]) -> str:
    """value * slope + bias, with one number per channel."""
    for kind, numbers in zip(("Mul", "Add"), slopes, strict=True):
        if len(shape) > 2:
            numbers = graph.op("Unsqueeze", numbers, graph.ints(*range(1, len(shape) - 1)))
        value = graph.op(kind, value, numbers)
    return value


def _by_batch(graph: Graph, step: Step, value: str) -> str:
    layer: Any = step.layer
    graph.require_fixed_batch(step, "it normalises by the statistics of the batch")
    centred, variance = _moments(graph, value, [0, *range(2, max(len(step.bottom_shapes[0]), 2))])
    return graph.op("Div", centred, graph.op("Sqrt", affine(graph, variance, 1, layer.eps)))


def bn(graph: Graph, step: Step, bottom: str) -> str:
    layer: Any = step.layer
    if isinstance(layer, SegNetBN):
        normalised = _by_batch(graph, step, bottom) if layer.uses_batch else bottom
        return graph.op("Add", graph.op("Mul", normalised, graph.weight(step, 0)), graph.weight(step, 1))
    slope, bias, *statistics = layer.blobs
    shift = np.zeros(layer.channels, np.float32) if bias is None else _numbers(bias)
    slopes = graph.constant(_numbers(slope)), graph.constant(shift)
    return _normalise(graph, bottom, slopes, [_numbers(part) for part in statistics], layer.eps)


def _normalise(
    graph: Graph, value: str, slopes: tuple[str, str], statistics: Sequence[NDArray[np.float32]], eps: float
) -> str:
    """(value - mean) / sqrt(variance + eps) * slope + bias."""
    mean, variance = (graph.constant(part) for part in statistics)
    return graph.op("BatchNormalization", value, *slopes, mean, variance, epsilon=eps)


def _numbers(blob: Tensor) -> NDArray[np.float32]:
    numbers: NDArray[np.float32] = blob.detach().cpu().numpy().reshape(-1)
    return numbers


def lrn(graph: Graph, step: Step, bottom: str) -> str:
    """Exports an LRN; within a channel it is an average pool of squares, with 1 instead of k."""
    layer: Any = step.layer
    if layer.is_across_channels:
        if layer.k <= 0 or float(layer.k).is_integer():
            return graph.op("LRN", bottom, size=layer.size, alpha=layer.alpha, beta=layer.beta, bias=layer.k)
        # OpenVINO rounds k down (2026.4). (k + a)^-beta is k^-beta (1 + a / k)^-beta.
        top = graph.op("LRN", bottom, size=layer.size, alpha=layer.alpha / layer.k, beta=layer.beta, bias=1)
        return affine(graph, top, layer.k**-layer.beta, 0)
    pads = [layer.size // 2] * 4
    squares = graph.op("Mul", bottom, bottom)
    energy = graph.op("AveragePool", squares, kernel_shape=[layer.size] * 2, pads=pads, count_include_pad=1)
    return graph.op("Mul", bottom, graph.op("Pow", affine(graph, energy, layer.alpha, 1), graph.number(-layer.beta)))


def mvn(graph: Graph, step: Step, bottom: str) -> str:
    """Exports an MVN; the top has four axes even if the bottom has fewer."""
    layer: Any = step.layer
    shape = step.top_shapes[0]
    value = bottom if shape == step.bottom_shapes[0] else graph.reshape(bottom, shape)
    centred, variance = _moments(graph, value, list(range(layer.first_axis, 4)))
    if not layer.normalizes_variance:
        return centred
    return graph.op("Div", centred, affine(graph, graph.op("Sqrt", variance), 1, layer.eps))


def _moments(graph: Graph, value: str, axes: list[int]) -> tuple[str, str]:
    """The value without its mean over the axes, and the variance."""
    mean = graph.op("ReduceMean", value, graph.ints(*axes), keepdims=1)
    centred = graph.op("Sub", value, mean)
    return centred, graph.op("ReduceMean", graph.op("Mul", centred, centred), graph.ints(*axes), keepdims=1)


def normalize(graph: Graph, step: Step, bottom: str) -> str:
    """SSD's layer, or the fork's, which has no parameters."""
    layer: Any = step.layer
    shape = step.bottom_shapes[0]
    if not layer.blobs:
        return graph.op("Div", bottom, _norm(graph, bottom, shape, all_axes=True, eps=0))
    norm = _norm(graph, bottom, shape, layer.is_across_spatial, layer.eps)
    scale = (layer.blobs[0].numel(), *[1] * (len(shape) - 2))
    return graph.op("Mul", graph.op("Div", bottom, norm), graph.weight(step, 0, scale))


def _norm(graph: Graph, value: str, shape: Shape, all_axes: bool, eps: float) -> str:
    axes = range(1, len(shape)) if all_axes else [1]
    squares = graph.op("ReduceSum", graph.op("Mul", value, value), graph.ints(*axes), keepdims=1)
    return graph.op("Sqrt", affine(graph, squares, 1, eps))
