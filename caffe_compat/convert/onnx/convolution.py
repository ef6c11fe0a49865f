"""Exports layers with windows or weights: convolutions, InnerProduct, Embed, Im2col, and pooling by Caffe's rule.

ONNX's ceil_mode drops windows that Caffe keeps, and its average knows two divisors of which neither is Caffe's. So the
sizes of a pooling are computed here: pads, on each side what the windows need, and windows that just fit. If windows
reach beyond the padded image, the average is corrected by a constant map.
"""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np

from caffe_compat.convert.model import Shape
from caffe_compat.convert.onnx.graph import Graph, outputs_before
from caffe_compat.convert.onnx.shaping import LAST
from caffe_compat.errors import MissingFeatureError
from caffe_compat.graph.wiring import Step
from caffe_compat.layers.vision.pooling import SMALLEST
from caffe_compat.layers.windows import LOWEST, PoolingWindow

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
            f"{outputs_before(step)}"
        )
    shape, top_shape = step.bottom_shapes[index], step.top_shapes[index]
    image = (int(np.prod(shape[: layer.channel_axis])), *shape[layer.channel_axis :], *([] if axes else [1]))
    value = bottom if image == shape else graph.reshape(bottom, image)
    weight = tuple(layer.blobs[0].shape) + (() if axes else (1,))
    inputs = [value, graph.weight(step, 0, weight)]
    if layer.bias_blob() is not None:
        inputs.append(graph.weight(step, 1, (layer.outputs,)))
    attributes = window_attributes(layer.window, shape[layer.channel_axis + 1 :] if kind == "Conv" else None)
    if kind == "Conv" and axes and _is_misread(layer):
        inputs[0] = _chosen(graph, inputs[0], attributes)
        attributes = {"kernel_shape": attributes["kernel_shape"]}
    top = graph.op(kind, *inputs, group=layer.groups, **attributes)
    return top if image == shape else graph.reshape(top, top_shape)


def _is_misread(layer: Any) -> bool:
    """Whether OpenVINO moves the layer's strides to the layers before it, and goes wrong there.

    It does so with kernels of one place. With padding it computes too many places, and an elementwise layer on one
    channel stops it (2026.4: UnsupportedNodesStridesPropagation).
    """
    window = layer.window
    is_moved = all(size == 1 for size in window.kernel) and any(step > 1 for step in window.stride)
    return is_moved and (any(window.pad) or layer.channels == 1)


def _chosen(graph: Graph, image: str, attributes: dict[str, list[int]]) -> str:
    """The places that a convolution with kernels of one place reads, padding included."""
    pads, strides = attributes["pads"], attributes["strides"]
    axes = len(strides)
    around = graph.op("Pad", image, graph.ints(0, 0, *pads[:axes], 0, 0, *pads[axes:]), graph.number(0))
    starts, ends = graph.ints(*[0] * axes), graph.ints(*[LAST] * axes)
    return graph.op("Slice", around, starts, ends, graph.ints(*range(2, 2 + axes)), graph.ints(*strides))


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
    if layer.bias_blob() is not None:
        inputs.append(graph.weight(step, 1, (layer.outputs,)))
    top = graph.op("Gemm", *inputs, transB=int(not layer.transpose))
    return top if top_shape == (rows[0], layer.outputs) else graph.reshape(top, top_shape)


def embed(graph: Graph, step: Step, bottom: str) -> str:
    """Exports an Embed as Gather of the weight's rows."""
    layer: Any = step.layer
    top = graph.op("Gather", graph.weight(step, 0), graph.op("Cast", bottom, to=7), axis=0)
    return top if layer.bias_blob() is None else graph.op("Add", top, graph.weight(step, 1))


class HasWindow(Protocol):
    """What has a kernel and a stride, each (height, width): a Pooling layer, or its window."""

    @property
    def kernel(self) -> tuple[int, int]:
        """The sizes of a window."""

    @property
    def stride(self) -> tuple[int, int]:
        """The steps from window to window."""


def pooling(graph: Graph, step: Step, bottom: str) -> str | list[str]:
    layer: Any = step.layer
    sizes = step.bottom_shapes[0][2:]
    window = layer.window(sizes)
    if len(step.tops) == 2:
        return _max_with_mask(graph, step, bottom, window, sizes)
    return METHODS[layer.method](graph, bottom, window, sizes)


def spatial_pyramid(graph: Graph, step: Step, bottom: str) -> str:
    """Exports an SPP layer: pools on every level and joins the flattened bins."""
    layer: Any = step.layer
    batch, channels, *sizes = step.bottom_shapes[0]
    method = METHODS[layer.spec.params("spp_param").pool]
    rows = []
    for level in range(layer.levels):
        top = method(graph, bottom, layer._window(2**level, *sizes), tuple(sizes))
        rows.append(top if layer.levels == 1 else graph.reshape(top, (batch, channels * 4**level)))
    return rows[0] if len(rows) == 1 else graph.op("Concat", *rows, axis=1)


def _maximum(graph: Graph, bottom: str, window: PoolingWindow, sizes: Shape) -> str:
    value, attributes = _padded(graph, bottom, window, sizes, LOWEST)
    return graph.op("MaxPool", value, **attributes)


def _max_with_mask(graph: Graph, step: Step, bottom: str, window: PoolingWindow, sizes: Shape) -> list[str]:
    """The mask is the place within the channel; ONNX counts through the whole blob."""
    value, attributes = _padded(graph, bottom, window, sizes, LOWEST)
    if value != bottom:
        raise MissingFeatureError(
            f"{step.layer.spec}: ONNX has no mask for windows that lie outside of the image; {outputs_before(step)}"
        )
    top, places = graph.ops("MaxPool", [value], 2, **attributes)
    place = graph.op("Mod", places, graph.ints(sizes[0] * sizes[1]))
    return [top, graph.op("Cast", place, to=1)]


def _average(graph: Graph, bottom: str, window: PoolingWindow, sizes: Shape) -> str:
    """Returns the mean over whole windows, corrected by window size / size of its part within the padded image."""
    value, attributes = _padded(graph, bottom, window, sizes, 0.0)
    top = graph.op("AveragePool", value, count_include_pad=1, **attributes)
    rows, columns = (np.array(extents, np.float64) for extents in window.divisors(sizes))
    with np.errstate(divide="ignore"):  # an empty window's mean is NaN, in Caffe too
        correction = window.kernel[0] * window.kernel[1] / (rows[:, None] * columns)
    if (correction == 1).all():
        return top
    return graph.op("Mul", top, graph.constant(correction.astype(np.float32)))


def _expected_stochastic(graph: Graph, bottom: str, window: PoolingWindow, sizes: Shape) -> str:
    """The sum of squares over the sum; the extents of the windows cancel out."""
    value, attributes = _padded(graph, bottom, window, sizes, 0.0)
    squares = graph.op("AveragePool", graph.op("Mul", value, value), count_include_pad=1, **attributes)
    mean = graph.op("AveragePool", value, count_include_pad=1, **attributes)
    return graph.op("Div", squares, graph.op("Add", mean, graph.number(SMALLEST)))


METHODS: dict[str, Callable[[Graph, str, PoolingWindow, Shape], str]] = {
    "MAX": _maximum,
    "AVE": _average,
    "STOCHASTIC": _expected_stochastic,
}


def _padded(
    graph: Graph, bottom: str, window: PoolingWindow, sizes: Shape, value: float
) -> tuple[str, dict[str, list[int]]]:
    """The bottom and the attributes that give Caffe's windows over an image of these sizes."""
    left, right, above, below = window.margins(sizes)
    return padded(graph, bottom, window, [above, left, max(below, 0), max(right, 0)], value)


def padded(
    graph: Graph, bottom: str, window: HasWindow, pads: Sequence[int], value: float
) -> tuple[str, dict[str, list[int]]]:
    """The bottom and the attributes for windows over an image with `pads` (above, left, below, right).

    Runtimes refuse pads as large as the kernel, which empty windows need: then the padding is a node of its own.
    """
    attributes = {"kernel_shape": list(window.kernel), "strides": list(window.stride)}
    if all(pad < extent for pad, extent in zip(pads, (*window.kernel, *window.kernel), strict=True)):
        return bottom, attributes | {"pads": list(pads)}
    around = graph.ints(0, 0, *pads[:2], 0, 0, *pads[2:])
    return graph.op("Pad", bottom, around, graph.number(value)), attributes
