"""Exports layers that multiply with weights: convolutions, InnerProduct, Embed and Im2col."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from caffe_compat.convert.onnx.graph import Graph
from caffe_compat.errors import MissingFeatureError
from caffe_compat.graph.wiring import Step

#: Spatial axes that runtimes have kernels for.
MOST_AXES = 3


def convolution(graph: Graph, step: Step, *bottoms: str) -> list[str]:
    """Exports a Convolution, with one Conv node per bottom."""
    return [_slide(graph, step, index, "Conv", bottom) for index, bottom in enumerate(bottoms)]


def deconvolution(graph: Graph, step: Step, *bottoms: str) -> list[str]:
    return [_slide(graph, step, index, "ConvTranspose", bottom) for index, bottom in enumerate(bottoms)]


def _slide(graph: Graph, step: Step, index: int, kind: str, bottom: str) -> str:
    """Adds a Conv or ConvTranspose node: joins axes before the channels, and adds a spatial axis if there is none."""
    layer: Any = step.layer
    axes = layer.window.axes
    if axes > MOST_AXES:
        raise MissingFeatureError(
            f"{layer.spec}: ONNX runtimes slide over at most {MOST_AXES} spatial axes, got {axes}; "
            "take outputs before this layer (--outputs)"
        )
    shape, top_shape = step.bottom_shapes[index], step.top_shapes[index]
    image = (int(np.prod(shape[: layer.channel_axis])), *shape[layer.channel_axis :], *([] if axes else [1]))
    value = bottom if image == shape else graph.reshape(bottom, image)
    weight = tuple(layer.blobs[0].shape) + (() if axes else (1,))
    inputs = [value, graph.weight(step, 0, weight)]
    if layer.has_bias:
        inputs.append(graph.weight(step, 1, (layer.outputs,)))
    attributes = window_attributes(layer.window, shape[layer.channel_axis + 1 :] if kind == "Conv" else None)
    top = graph.op(kind, *inputs, group=layer.groups, **attributes)
    return top if image == shape else graph.reshape(top, top_shape)


def window_attributes(window: Any, convolved: Sequence[int] | None = None) -> dict[str, list[int]]:
    """Kernel, strides, dilations and pads on both sides; `convolved` are the sizes that a convolution reads."""
    if not window.axes:
        return {"kernel_shape": [1]}
    missing = window.missing(convolved) if convolved is not None else [0] * window.axes
    return {
        "kernel_shape": list(window.kernel),
        "strides": list(window.stride),
        "dilations": list(window.dilation),
        "pads": [*window.pad, *map(sum, zip(window.pad, missing, strict=True))],
    }


def im2col(graph: Graph, step: Step, bottom: str) -> str:
    """Exports Im2col as a Conv: one group per channel, and one kernel per window element that selects it."""
    layer: Any = step.layer
    shape = step.bottom_shapes[0]
    axis, window = layer.channel_axis, layer.window
    channels, elements = shape[axis], int(np.prod(window.kernel))
    image = (int(np.prod(shape[:axis])), *shape[axis:])
    value = bottom if image == shape else graph.reshape(bottom, image)
    pick = np.tile(np.eye(elements, dtype=np.float32), (channels, 1)).reshape(-1, 1, *window.kernel)
    top = graph.op("Conv", value, graph.constant(pick), group=channels, **window_attributes(window, shape[axis + 1 :]))
    return top if image == shape else graph.reshape(top, step.top_shapes[0])


def inner_product(graph: Graph, step: Step, bottom: str) -> str:
    """Exports an InnerProduct as Gemm on one row per item."""
    layer: Any = step.layer
    shape, top_shape = step.bottom_shapes[0], step.top_shapes[0]
    rows = (int(np.prod(shape)) // layer.inputs, layer.inputs)
    value = bottom if shape == rows else graph.reshape(bottom, rows)
    inputs = [value, graph.weight(step, 0)]
    if layer.has_bias:
        inputs.append(graph.weight(step, 1, (layer.outputs,)))
    top = graph.op("Gemm", *inputs, transB=int(not layer.transpose))
    return top if top_shape == (rows[0], layer.outputs) else graph.reshape(top, top_shape)


def embed(graph: Graph, step: Step, bottom: str) -> str:
    """Exports an Embed as Gather of the weight's rows."""
    layer: Any = step.layer
    top = graph.op("Gather", graph.weight(step, 0), graph.op("Cast", bottom, to=7), axis=0)
    return graph.op("Add", top, graph.weight(step, 1)) if layer.has_bias else top
