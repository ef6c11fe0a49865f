"""Exports recurrent layers unrolled, because ONNX's recurrent operators have no input for sequence markers."""

from collections.abc import Callable
from typing import Any

import numpy as np

from caffe_compat.convert.onnx.graph import Graph
from caffe_compat.graph.wiring import Step

#: hidden (first) and other states (1, N, D) after a step.
States = list[str]
Advance = Callable[[Graph, Step, str, States, str], States]


def lstm(graph: Graph, step: Step, *bottoms: str) -> list[str]:
    return _unrolled(graph, step, bottoms, _lstm_step)


def rnn(graph: Graph, step: Step, *bottoms: str) -> list[str]:
    """The top is another layer of weights over the hidden states."""
    hidden, *states = _unrolled(graph, step, bottoms, _rnn_step)
    count = len(step.layer.blobs)
    return [graph.op("Tanh", _linear(graph, step, hidden, count - 2, count - 1)), *states]


def lstm_unit(graph: Graph, step: Step, cell: str, sums: str, continues: str) -> list[str]:
    marker = graph.reshape(continues, (*step.bottom_shapes[2], 1))
    return _lstm_unit(graph, cell, sums, marker)


def _unrolled(graph: Graph, step: Step, bottoms: tuple[str, ...], advance: Advance) -> list[str]:
    """All hidden states (T, N, D), and the last states where the net asks for them.

    Without expose_hidden a batch starts from zeros; Caffe would go on from the batch before where a marker is 1.
    """
    graph.require_fixed_batch(step, "it is unrolled over time")
    layer: Any = step.layer
    steps, streams = step.bottom_shapes[1]
    sums = _input_sums(graph, step, bottoms)
    pieces = _by_step(graph, sums, steps)
    markers = _by_step(graph, graph.reshape(bottoms[1], (steps, streams, 1)), steps)
    states = list(bottoms[-layer.exposed :]) if layer.exposed else _zeros(graph, layer, streams)
    hidden = []
    for piece, marker in zip(pieces, markers, strict=True):
        states = advance(graph, step, piece, states, marker)
        hidden.append(states[0])
    return [graph.op("Concat", *hidden, axis=0), *(states if layer.exposed else [])]


def _input_sums(graph: Graph, step: Step, bottoms: tuple[str, ...]) -> str:
    """Returns the inputs' contribution to the sums of all time steps, (T, N, gates * D)."""
    layer: Any = step.layer
    steps, streams, *item = step.bottom_shapes[0]
    flat = graph.reshape(bottoms[0], (steps, streams, int(np.prod(item))))
    sums = _linear(graph, step, flat, 0, 1)
    if not layer.has_static:
        return sums
    static = graph.reshape(bottoms[2], (streams, int(np.prod(step.bottom_shapes[2][1:]))))
    return graph.op("Add", sums, _linear(graph, step, static, 2, None))


def _linear(graph: Graph, step: Step, value: str, weight: int, bias: int | None) -> str:
    matrix = graph.op("Transpose", graph.weight(step, weight), perm=[1, 0])
    top = graph.op("MatMul", value, matrix)
    return top if bias is None else graph.op("Add", top, graph.weight(step, bias))


def _by_step(graph: Graph, value: str, steps: int) -> list[str]:
    return graph.ops("Split", [value, graph.ints(*[1] * steps)], steps, axis=0)


def _zeros(graph: Graph, layer: Any, streams: int) -> States:
    return [graph.constant(np.zeros((1, streams, layer.outputs), np.float32))] * layer.state_count


def _recurrent_sums(graph: Graph, step: Step, sums: str, hidden: str, marker: str) -> str:
    layer: Any = step.layer
    carried = graph.op("Mul", marker, hidden)
    return graph.op("Add", sums, _linear(graph, step, carried, 3 if layer.has_static else 2, None))


def _rnn_step(graph: Graph, step: Step, sums: str, states: States, marker: str) -> States:
    return [graph.op("Tanh", _recurrent_sums(graph, step, sums, states[0], marker))]


def _lstm_step(graph: Graph, step: Step, sums: str, states: States, marker: str) -> States:
    cell, hidden = _lstm_unit(graph, states[1], _recurrent_sums(graph, step, sums, states[0], marker), marker)
    return [hidden, cell]


def _lstm_unit(graph: Graph, cell: str, sums: str, marker: str) -> list[str]:
    """The next cell and hidden state; sums hold input, forget, output gate and candidate."""
    *gates, candidate = graph.ops("Split", [sums], 4, axis=2, num_outputs=4)
    enters, forgets, leaves = (graph.op("Sigmoid", gate) for gate in gates)
    kept = graph.op("Mul", graph.op("Mul", marker, forgets), cell)
    cell = graph.op("Add", kept, graph.op("Mul", enters, graph.op("Tanh", candidate)))
    return [cell, graph.op("Mul", leaves, graph.op("Tanh", cell))]
