"""Exports layers that move values without changing them."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from caffe_compat.convert.onnx.graph import Graph
from caffe_compat.convert.onnx.resampling import scattered
from caffe_compat.graph.wiring import Step

LAST = np.iinfo(np.int64).max


def permute(graph: Graph, step: Step, bottom: str) -> str:
    layer: Any = step.layer
    rest = [axis for axis in range(len(step.bottom_shapes[0])) if axis not in layer.order]
    return graph.op("Transpose", bottom, perm=[*layer.order, *rest])


def concat(graph: Graph, step: Step, *bottoms: str) -> str:
    layer: Any = step.layer
    return graph.op("Concat", *bottoms, axis=layer.axis % len(step.bottom_shapes[0]))


def split(graph: Graph, step: Step, bottom: str) -> list[str]:
    """Slice, in sizes that the tops have."""
    layer: Any = step.layer
    axis = layer.axis % len(step.bottom_shapes[0])
    if axis == 0:
        graph.require_fixed_batch(step, "it cuts the batch")
    sizes = [shape[axis] for shape in step.top_shapes]
    return graph.ops("Split", [bottom, graph.ints(*sizes)], len(sizes), axis=axis)


def crop(graph: Graph, step: Step, bottom: str, _reference: str) -> str:
    layer: Any = step.layer
    shape, top_shape = step.bottom_shapes[0], step.top_shapes[0]
    first = layer.axis % len(shape)
    axes = len(shape) - first
    offsets = layer.offsets if len(layer.offsets) == axes else (layer.offsets or [0]) * axes
    for axis, offset in enumerate(offsets, start=first):
        if top_shape[axis] != shape[axis]:
            bottom = cut(graph, bottom, axis, offset, offset + top_shape[axis])
    return bottom


def cut(graph: Graph, value: str, axis: int, start: int, end: int) -> str:
    """Entries start to end, not included, of an axis."""
    return graph.op("Slice", value, graph.ints(start), graph.ints(end), graph.ints(axis))


def reverse(graph: Graph, value: str, axis: int) -> str:
    """An axis backwards."""
    return graph.op("Slice", value, graph.ints(-1), graph.ints(-LAST), graph.ints(axis), graph.ints(-1))


def tile(graph: Graph, step: Step, bottom: str) -> str:
    layer: Any = step.layer
    repeats = [1] * len(step.bottom_shapes[0])
    repeats[layer.axis] = layer.tiles
    return graph.op("Tile", bottom, graph.ints(*repeats))


def shuffle_channel(graph: Graph, step: Step, bottom: str) -> str:
    layer: Any = step.layer
    batch, channels, *rest = step.bottom_shapes[0]
    grouped = graph.reshape(bottom, (batch, layer.group, channels // layer.group, *rest))
    order = [0, 2, 1, *range(3, 3 + len(rest))]
    return graph.reshape(graph.op("Transpose", grouped, perm=order), step.bottom_shapes[0])


def batch_reindex(graph: Graph, step: Step, bottom: str, indices: str) -> str:
    return graph.op("Gather", bottom, graph.op("Cast", indices, to=7), axis=0)


def filter_items(graph: Graph, step: Step, *bottoms: str) -> list[str]:
    """Items whose selector, the last bottom, is not 0."""
    *data, selector = bottoms
    flat = graph.op("Reshape", selector, graph.ints(-1))
    kept = graph.op("Reshape", graph.op("NonZero", flat), graph.ints(-1))
    return [graph.op("Gather", one, kept, axis=0) for one in data]


def parameter(graph: Graph, step: Step) -> str:
    return graph.op("Identity", graph.weight(step, 0))


def interpolate(graph: Graph, step: Step, bottom: str, like: str = "") -> str:
    """Interp: bilinear from corner to corner, after cropping; of `like` only the size counts, which is fixed."""
    layer: Any = step.layer
    before, after = layer.crop
    sizes = step.bottom_shapes[0][2:]
    for axis, size in enumerate(sizes, start=2):
        if before or after:
            bottom = cut(graph, bottom, axis, before, size - after)
    target = graph.ints(*step.top_shapes[0][2:])
    mode = {"mode": "linear", "coordinate_transformation_mode": "align_corners", "axes": [2, 3]}
    return graph.op("Resize", bottom, "", "", target, **mode)


def upsample(graph: Graph, step: Step, bottom: str, mask: str = "") -> str:
    """Exports an Upsample: writes values to the positions in a Pooling's mask, or repeats pixels without a mask."""
    if not mask:
        target = graph.ints(*step.top_shapes[0][2:])
        mode = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
        return graph.op("Resize", bottom, "", "", target, axes=[2, 3], **mode)
    return scattered(graph, step, bottom, mask)


def of_shapes(graph: Graph, step: Step, *_bottoms: str) -> str:
    """A top that follows from the shapes alone (PriorBox, ContinuationIndicator): a constant."""
    made: Tensor = step.layer(*(torch.zeros(shape) for shape in step.bottom_shapes))
    return graph.op("Identity", graph.constant(made.numpy()))
