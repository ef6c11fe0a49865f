"""RNN against plain loops."""

import numpy as np
import torch

from tests.layers.harness import Array, assert_every_field_matters, check_layer, random_bottom

FILLERS = "weight_filler { type: 'uniform' min: -0.6 max: 0.6 } bias_filler { type: 'uniform' min: -0.3 max: 0.5 }"
TEXT = f"name: 'rnn' type: 'RNN' recurrent_param {{ num_output: 3 {FILLERS} }}"
SEQUENCE = random_bottom(4, 2, 5)
CONTINUES = torch.tensor([[0, 0], [1, 1], [1, 0], [1, 1]]).double()


def loop(
    blobs: list[Array], sequence: Array, continues: Array, static: Array | None, first: Array
) -> tuple[Array, Array]:
    weight, bias, *between, hidden_weight, output_weight, output_bias = blobs
    top, hidden = np.empty((*sequence.shape[:2], 3)), first.copy()
    for t, n in np.ndindex(sequence.shape[:2]):
        sums = weight @ sequence[t, n] + bias + hidden_weight @ (continues[t, n] * hidden[0, n])
        if static is not None:
            sums = sums + between[0] @ static[n]
        hidden[0, n] = np.tanh(sums)
        top[t, n] = np.tanh(output_weight @ hidden[0, n] + output_bias)
    return top, hidden


def test_sequences() -> None:
    def oracle(blobs: list[Array], sequence: Array, continues: Array) -> Array:
        return loop(blobs, sequence, continues, None, np.zeros((1, 2, 3)))[0]

    layer = check_layer(TEXT, [SEQUENCE, CONTINUES], oracle)
    assert [tuple(blob.shape) for blob in layer.blobs] == [(3, 5), (3,), (3, 3), (3, 3), (3,)]


def test_static_input_and_exposed_state() -> None:
    def oracle(blobs: list[Array], *bottoms: Array) -> tuple[Array, Array]:
        return loop(blobs, *bottoms)

    text = TEXT.replace("num_output: 3", "num_output: 3 expose_hidden: true")
    bottoms = [SEQUENCE, torch.ones(4, 2).double(), random_bottom(2, 6, seed=3), random_bottom(1, 2, 3, seed=4)]
    layer = check_layer(text, bottoms, oracle, tops=2, gradients=False)
    assert [tuple(blob.shape) for blob in layer.blobs] == [(3, 5), (3,), (3, 6), (3, 3), (3, 3), (3,)]


def test_every_field_matters() -> None:
    assert_every_field_matters(TEXT, SEQUENCE, CONTINUES)
