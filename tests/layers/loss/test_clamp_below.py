"""A bound that gradients pass."""

import torch

from caffe_compat.layers.loss.clamp_below import clamp_below


def test_bounds_values_but_not_gradients() -> None:
    values = torch.tensor([-3.0, 0.5, float("-inf")], requires_grad=True)
    bounded = clamp_below(values, -1.0)
    bounded.backward(torch.tensor([2.0, 3.0, 4.0]))
    assert bounded.tolist() == [-1.0, 0.5, -1.0]
    assert values.grad.tolist() == [2.0, 3.0, 4.0]
