"""Exports layers whose tops hold a value for each value of the bottom, in the same order: activations, Reshape ..."""

from functools import reduce
from typing import Any

import numpy as np

from caffe_compat.convert.onnx.graph import Graph
from caffe_compat.errors import MissingFeatureError
from caffe_compat.graph.wiring import Step


def absolute(graph: Graph, step: Step, bottom: str) -> str:
    return graph.op("Abs", bottom)


def sigmoid(graph: Graph, step: Step, bottom: str) -> str:
    return graph.op("Sigmoid", bottom)


def tanh(graph: Graph, step: Step, bottom: str) -> str:
    return graph.op("Tanh", bottom)


def softplus(graph: Graph, step: Step, bottom: str) -> str:
    return graph.op("Softplus", bottom)


def relu(graph: Graph, step: Step, bottom: str) -> str:
    slope = _of(step).negative_slope
    return graph.op("LeakyRelu", bottom, alpha=slope) if slope else graph.op("Relu", bottom)


def relu6(graph: Graph, step: Step, bottom: str) -> str:
    return graph.op("Min", relu(graph, step, bottom), graph.number(6))


def prelu(graph: Graph, step: Step, bottom: str) -> str:
    """Exports a PReLU; its slopes (C,) apply along axis 1."""
    channels = step.layer.blobs[0].numel()
    slopes = (channels, *[1] * (len(step.bottom_shapes[0]) - 2))
    return graph.op("PRelu", bottom, graph.weight(step, 0, slopes))


def elu(graph: Graph, step: Step, bottom: str) -> str:
    return graph.op("Elu", bottom, alpha=_of(step).alpha)


def swish(graph: Graph, step: Step, bottom: str) -> str:
    scaled = affine(graph, bottom, _of(step).beta, 0)
    return graph.op("Mul", bottom, graph.op("Sigmoid", scaled))


def clip(graph: Graph, step: Step, bottom: str) -> str:
    layer = _of(step)
    return graph.op("Clip", bottom, graph.number(layer.least), graph.number(layer.most))


def threshold(graph: Graph, step: Step, bottom: str) -> str:
    return graph.op("Cast", graph.op("Greater", bottom, graph.number(_of(step).threshold)), to=1)


def exponential(graph: Graph, step: Step, bottom: str) -> str:
    return graph.op("Exp", affine(graph, bottom, _of(step).scale, _of(step).shift))


def logarithm(graph: Graph, step: Step, bottom: str) -> str:
    layer = _of(step)
    top = graph.op("Log", affine(graph, bottom, layer.scale, layer.shift))
    return top if layer.log_base == 1 else graph.op("Div", top, graph.number(layer.log_base))


def power(graph: Graph, step: Step, bottom: str) -> str:
    """Exports a Power; if power or scale is 0, the top is constant for any bottom."""
    layer = _of(step)
    if layer.power * layer.scale == 0:
        ones = graph.op("Pow", bottom, graph.number(0))
        return graph.op("Mul", ones, graph.number(float(np.float32(layer.shift) ** layer.power)))
    top = affine(graph, bottom, layer.scale, layer.shift)
    return top if layer.power == 1 else graph.op("Pow", top, graph.number(layer.power))


def affine(graph: Graph, value: str, scale: float, shift: float) -> str:
    """Returns scale * value + shift; leaves out factors 1 and terms 0."""
    if scale != 1:
        value = graph.op("Mul", value, graph.number(scale))
    return graph.op("Add", value, graph.number(shift)) if shift else value


def scale(graph: Graph, step: Step, bottom: str, *given: str) -> str:
    """The operand is blob 0 or bottom 1; both it and the bias cover axes of the bottom from `axis` on."""
    layer = _of(step)
    top = graph.op("Mul", bottom, _operand(graph, step, 0, *given))
    if layer.bias_blob() is None:
        return top
    return graph.op("Add", top, _operand(graph, step, len(layer.blobs) - 1))


def bias(graph: Graph, step: Step, bottom: str, *given: str) -> str:
    if not given and step.layer.blobs[0] is None:
        return graph.op("Identity", bottom)
    return graph.op("Add", bottom, _operand(graph, step, 0, *given))


def _operand(graph: Graph, step: Step, index: int, *given: str) -> str:
    own = step.bottom_shapes[1] if given else tuple(step.layer.blobs[index].shape)
    axes = len(step.bottom_shapes[0])
    first = _of(step).axis % axes if own else axes
    shape = (*own, *[1] * (axes - first - len(own)))
    if not given:
        return graph.weight(step, index, shape)
    return graph.reshape(given[0], shape) if shape != own else given[0]


def axpy(graph: Graph, step: Step, scales: str, x: str, y: str) -> str:
    shape = step.bottom_shapes[1]
    aligned = graph.reshape(scales, (*shape[:2], *[1] * (len(shape) - 2)))
    return graph.op("Add", graph.op("Mul", aligned, x), y)


def eltwise(graph: Graph, step: Step, *bottoms: str) -> str:
    layer = _of(step)
    if layer.operation == "SUM" and layer.coefficients:
        bottoms = tuple(affine(graph, one, weight, 0) for one, weight in zip(bottoms, layer.coefficients, strict=True))
    kind = {"PROD": "Mul", "SUM": "Add", "MAX": "Max"}[layer.operation]
    return reduce(lambda one, other: graph.op(kind, one, other), bottoms)


def dropout(graph: Graph, step: Step, bottom: str) -> list[str]:
    layer = _of(step)
    if layer.drops_at_test:
        raise MissingFeatureError(
            f"{layer.spec}: sample_weights_test drops at random; take it out to export the net without sampling"
        )
    return [bottom if layer.scale_train else affine(graph, bottom, 1 - layer.ratio, 0)]


def identity(graph: Graph, step: Step, *bottoms: str) -> list[str]:
    """Layers that pass their bottoms on at TEST: Split's every top, Gather and Scatter of one process."""
    return list(bottoms) if len(bottoms) == len(step.tops) else list(bottoms) * len(step.tops)


def reshape(graph: Graph, step: Step, bottom: str) -> str:
    """Reshape and Flatten: the shape is known."""
    return graph.reshape(bottom, step.top_shapes[0])


def _of(step: Step) -> Any:
    """The layer with its own attributes."""
    return step.layer
