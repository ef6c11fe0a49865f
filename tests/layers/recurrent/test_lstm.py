"""LSTM against plain loops: sequences, static inputs, exposed and carried states."""

import numpy as np
import pytest
import torch

from caffe_compat.errors import FieldError, GraphError, ShapeError
from tests.layers.harness import Array, assert_close, assert_every_field_matters, build, check_layer, random_bottom, run

FILLERS = "weight_filler { type: 'uniform' min: -0.6 max: 0.6 } bias_filler { type: 'uniform' min: -0.3 max: 0.5 }"
TEXT = f"name: 'lstm' type: 'LSTM' recurrent_param {{ num_output: 3 {FILLERS} }}"
EXPOSED = TEXT.replace("num_output: 3", "num_output: 3 expose_hidden: true")
SEQUENCE = random_bottom(4, 2, 5)
#: The second stream's sequence ends before step 2.
CONTINUES = torch.tensor([[0, 0], [1, 1], [1, 0], [1, 1]]).double()
STATIC = random_bottom(2, 6, seed=3)
STATES = [random_bottom(1, 2, 3, seed=4), random_bottom(1, 2, 3, seed=5)]


def sigmoid(values: Array) -> Array:
    shares: Array = 1 / (1 + np.exp(-values))
    return shares


def loop(
    blobs: list[Array], sequence: Array, continues: Array, static: Array | None, hidden: Array, cell: Array
) -> tuple[Array, Array, Array]:
    """(T, N, D), and the last states, one stream and step after the other."""
    top = np.empty((*sequence.shape[:2], 3))
    hidden, cell = hidden.copy(), cell.copy()
    for t, n in np.ndindex(sequence.shape[:2]):
        sums = blobs[0] @ sequence[t, n].ravel() + blobs[1] + blobs[-1] @ (continues[t, n] * hidden[0, n])
        if static is not None:
            sums = sums + blobs[2] @ static[n]
        enters, forgets, leaves, candidate = sums.reshape(4, 3)
        cell[0, n] = continues[t, n] * sigmoid(forgets) * cell[0, n] + sigmoid(enters) * np.tanh(candidate)
        top[t, n] = hidden[0, n] = sigmoid(leaves) * np.tanh(cell[0, n])
    return top, hidden, cell


ZEROS = np.zeros((1, 2, 3))


def test_sequences() -> None:
    def oracle(blobs: list[Array], sequence: Array, continues: Array) -> Array:
        return loop(blobs, sequence, continues, None, ZEROS, ZEROS)[0]

    layer = check_layer(TEXT, [SEQUENCE, CONTINUES], oracle)
    assert [tuple(blob.shape) for blob in layer.blobs] == [(12, 5), (12,), (12, 3)]


def test_inputs_of_more_axes_and_a_static_input() -> None:
    def oracle(blobs: list[Array], sequence: Array, continues: Array, static: Array) -> Array:
        return loop(blobs, sequence, continues, static, ZEROS, ZEROS)[0]

    layer = check_layer(TEXT, [random_bottom(4, 2, 5, 2), CONTINUES, STATIC], oracle)
    assert [tuple(blob.shape) for blob in layer.blobs] == [(12, 10), (12,), (12, 6), (12, 3)]


def test_exposed_states() -> None:
    def oracle(blobs: list[Array], *bottoms: Array) -> tuple[Array, Array, Array]:
        sequence, continues, static, hidden, cell = bottoms
        return loop(blobs, sequence, continues, static, hidden, cell)

    bottoms = [SEQUENCE, torch.ones(4, 2).double(), STATIC, *STATES]
    check_layer(EXPOSED, bottoms, oracle, tops=3, gradients=False)


def test_no_gradient_flows_through_exposed_states() -> None:
    reached = [bottom.clone().requires_grad_() for bottom in (SEQUENCE, CONTINUES, *STATES)]
    top, *states = run(build(EXPOSED, *reached, tops=3), *reached)
    top.sum().backward()
    assert [bottom.grad is not None for bottom in reached] == [True, False, False, False]
    assert not any(state.requires_grad for state in states)


def test_states_are_carried_to_the_next_batch() -> None:
    layer = build(TEXT, SEQUENCE, CONTINUES)
    ones = torch.ones(2, 2).double()
    halves = [run(layer, SEQUENCE[:2], ones)[0], run(layer, SEQUENCE[2:], ones)[0]]
    whole = run(build(TEXT, SEQUENCE, CONTINUES), SEQUENCE, torch.ones(4, 2).double())[0]
    assert_close(torch.cat(halves), whole)


def test_other_streams_start_afresh() -> None:
    layer = build(TEXT, SEQUENCE, CONTINUES)
    run(layer, SEQUENCE, CONTINUES)
    ones = torch.ones(4, 1).double()
    alone = run(build(TEXT, SEQUENCE[:, :1], ones), SEQUENCE[:, :1], ones)[0]
    assert_close(run(layer, SEQUENCE[:, :1], ones)[0], alone)


def test_every_field_matters() -> None:
    text = TEXT.replace("num_output: 3", "num_output: 3 debug_info: true")
    assert_every_field_matters(text, SEQUENCE, CONTINUES, without_effect=["debug_info"])
    assert_every_field_matters(EXPOSED, SEQUENCE, CONTINUES, *STATES, tops=3)


@pytest.mark.parametrize(
    ("text", "bottoms", "tops", "message"),
    [
        (TEXT, 4, 1, "expected 2 bottoms, or 3 with a static input, got 4"),
        (EXPOSED, 3, 3, "expected 4 bottoms, or 5 with a static input, got 3"),
        (TEXT, 2, 3, "expected exactly 1 tops, got 3"),
        (EXPOSED, 4, 1, "expected exactly 3 tops, got 1"),
    ],
)
def test_refuses_counts(text: str, bottoms: int, tops: int, message: str) -> None:
    with pytest.raises(GraphError, match=rf"^layer 'lstm' \(LSTM\): {message}"):
        build(text, *[(4, 2, 5)] * bottoms, tops=tops)


def test_refuses_no_outputs() -> None:
    with pytest.raises(FieldError, match=r"^layer 'lstm' \(LSTM\): expected num_output above 0, got \[0\]"):
        build("name: 'lstm' type: 'LSTM'", SEQUENCE, CONTINUES)


@pytest.mark.parametrize(
    ("text", "shapes", "message"),
    [
        (
            TEXT,
            [(4, 2, 5), (4, 3)],
            r"expected bottoms \(steps, streams, ...\) and \(steps, streams\), got \[4, 2, 5\]",
        ),
        (TEXT, [(4, 2, 5), (4, 2), (3, 6)], "expected a static input for 2 streams, got 3"),
        (EXPOSED, [(4, 2, 5), (4, 2), (1, 2, 3), (2, 3)], r"expected first states of \[1, 2, 3\], got \[2, 3\]"),
    ],
)
def test_refuses_shapes(text: str, shapes: list[tuple[int, ...]], message: str) -> None:
    with pytest.raises(ShapeError, match=rf"^layer 'lstm' \(LSTM\): {message}"):
        build(text, *shapes, tops=3 if text == EXPOSED else 1)


@pytest.mark.parametrize(
    ("text", "shapes", "others", "message"),
    [
        (TEXT, [(4, 2, 5), (4, 2)], [(4, 2, 3, 2), (4, 2)], "expected items of 5 values, .* made, got 6$"),
        (TEXT, [(4, 2, 5), (4, 2), (2, 6)], [(4, 2, 5), (4, 2), (2, 7)], "expected items of 5 and 6 .*, got 5 and 7$"),
    ],
)
def test_refuses_items_of_other_sizes_than_at_setup(
    text: str, shapes: list[tuple[int, ...]], others: list[tuple[int, ...]], message: str
) -> None:
    layer = build(text, *shapes)
    with pytest.raises(ShapeError, match=rf"^layer 'lstm' \(LSTM\): {message}"):
        layer.top_shapes(*others)
    with pytest.raises(ShapeError, match=rf"^layer 'lstm' \(LSTM\): {message}"):
        layer(*(random_bottom(*shape) for shape in others))
