"""Pooling by Caffe's rule.

ONNX's ceil_mode drops windows that Caffe keeps, and its average knows two divisors of which neither is Caffe's. So the
sizes are worked out here: pads, on each side what the windows need, and windows that just fit; where windows reach
beyond the padded image the average is corrected by a constant map.
"""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np

from caffe_compat.convert.model import Shape
from caffe_compat.convert.onnx.graph import Graph
from caffe_compat.errors import MissingFeatureError
from caffe_compat.graph.wiring import Step
from caffe_compat.layers.vision.pooling import SMALLEST
from caffe_compat.layers.windows import LOWEST, PoolingWindow


class Window(Protocol):
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
            f"{step.layer.spec}: ONNX has no mask for windows that lie outside of the image; "
            "take outputs before this layer (--outputs)"
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
    graph: Graph, bottom: str, window: Window, pads: Sequence[int], value: float
) -> tuple[str, dict[str, list[int]]]:
    """The bottom and the attributes for windows over an image with `pads` (above, left, below, right).

    Runtimes refuse pads as large as the kernel, which empty windows need: then the padding is a node of its own.
    """
    attributes = {"kernel_shape": list(window.kernel), "strides": list(window.stride)}
    if all(pad < extent for pad, extent in zip(pads, (*window.kernel, *window.kernel), strict=True)):
        return bottom, attributes | {"pads": list(pads)}
    around = graph.ints(0, 0, *pads[:2], 0, 0, *pads[2:])
    return graph.op("Pad", bottom, around, graph.number(value)), attributes
