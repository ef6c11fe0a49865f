"""Caffe's LSTM."""

from torch import Tensor
from torch.nn.functional import linear

from caffe_compat.layers.caffes import BVLC, Meaning
from caffe_compat.layers.recurrent.lstm_unit import lstm_unit
from caffe_compat.layers.recurrent.recurrent import Recurrent, States
from caffe_compat.layers.registry import register_layer


@register_layer("LSTM")
class LSTM(Recurrent):
    """Long short-term memory with states hidden and cell; the top (T, N, D) is the hidden state of every step."""

    known_to = (BVLC,)
    meanings = (
        Meaning(
            "BVLC",
            "LSTM with sequence markers as bottom 1",
            "type: LSTM",
        ),
        Meaning(
            "junhyukoh/caffe-lstm",
            "another order of weights, no markers",
            "type: Lstm, lstm_param",
            "refused",
        ),
    )
    example = "recurrent_param { num_output: 1 }"
    state_count = 2
    gate_count = 4

    def step(self, sums: Tensor, states: States, continues: Tensor) -> States:
        hidden, cell = states
        cell, hidden = lstm_unit(cell, sums + linear(continues * hidden, self.hidden_weight), continues)
        return hidden, cell
