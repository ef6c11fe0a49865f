"""Caffe's RNN."""

import torch
from torch import Tensor
from torch.nn.functional import linear

from caffe_compat.layers.base import Shape
from caffe_compat.layers.caffes import BVLC
from caffe_compat.layers.recurrent.recurrent import Recurrent, States
from caffe_compat.layers.registry import register_layer


@register_layer("RNN")
class RNN(Recurrent):
    """h_t = tanh(W_h h_{t-1} + W_x x_t + b); the top (T, N, D) is tanh(W_o h_t + b_o).

    Two blobs follow the ones of Recurrent: W_o (D, D) and b_o (D,).
    """

    known_to = (BVLC,)
    example = "recurrent_param { num_output: 1 }"
    state_count = 1
    gate_count = 1

    def setup(self, *bottom_shapes: Shape) -> None:
        super().setup(*bottom_shapes)
        self.add_blob((self.outputs, self.outputs), self.weight_filler)
        self.add_blob((self.outputs,), self.bias_filler)

    def step(self, sums: Tensor, states: States, continues: Tensor) -> States:
        return (torch.tanh(sums + linear(continues * states[0], self.hidden_weight)),)

    def outputs_of(self, hidden: Tensor) -> Tensor:
        return torch.tanh(linear(hidden, self.blobs[-2], self.blobs[-1]))
