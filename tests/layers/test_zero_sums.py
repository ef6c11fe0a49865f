"""What cancels mathematically is left smaller than float32 sums leave it."""

import torch

from caffe_compat.layers.base import add_bias, careful_sums, sums_are_careful
from caffe_compat.layers.normalization.batch_norm import centre_gradient


def test_add_bias_is_an_addition_whose_gradient_is_the_sum() -> None:
    torch.manual_seed(3)
    top = torch.randn(2, 3, 4, 5, dtype=torch.float64, requires_grad=True)
    bias = torch.randn(3, dtype=torch.float64, requires_grad=True)
    weights = torch.randn(2, 3, 4, 5, dtype=torch.float64)
    added = add_bias(top * 1.0, bias)
    assert torch.equal(added, top + bias[:, None, None])
    gradients = torch.autograd.grad((added * weights).sum(), (top, bias))
    torch.testing.assert_close(gradients, (weights, weights.sum((0, 2, 3))))


def test_add_bias_sums_in_float64() -> None:
    torch.manual_seed(4)
    values = torch.randn(7, 2, 31, 13) + 1e4
    bias = torch.zeros(2, requires_grad=True)
    (gradient,) = torch.autograd.grad((add_bias(torch.zeros_like(values), bias) * values).sum(), bias)
    assert torch.equal(gradient, values.double().sum((0, 2, 3)).float())


def test_centre_gradient_leaves_values_and_removes_the_mean_of_their_gradient() -> None:
    torch.manual_seed(5)
    values = torch.randn(3, 2, 5, requires_grad=True)
    weights = torch.randn(3, 2, 5)
    centred = centre_gradient(values)
    assert torch.equal(centred, values)
    (gradient,) = torch.autograd.grad((centred * weights).sum(), values)
    torch.testing.assert_close(gradient, weights - weights.mean((0, 2), keepdim=True))


def test_layers_sum_carefully_only_where_asked() -> None:
    assert not sums_are_careful()
    with careful_sums():
        assert sums_are_careful()
    assert not sums_are_careful()


def test_gradients_of_any_layout_are_summed_in_float64() -> None:
    torch.manual_seed(6)
    values = (torch.randn(5, 3, 17, 11) + 1e4).contiguous(memory_format=torch.channels_last)
    bias = torch.zeros(3, requires_grad=True)
    (gradient,) = torch.autograd.grad((add_bias(torch.zeros_like(values), bias) * values).sum(), bias)
    assert torch.equal(gradient, values.double().sum((0, 2, 3)).float())
