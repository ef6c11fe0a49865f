"""Normalisation whatever the layout of the gradient: against autograd over the formula."""

import itertools

import pytest
import torch
from torch import Tensor

from caffe_compat.errors import FieldError
from caffe_compat.layers.normalization.statistics import normalise_by_batch, normalise_by_stored
from tests.layers.harness import assert_close, build, random_bottom

EPS = 0.01
MEAN, VARIANCE = torch.tensor([0.5, -1.0, 2.0], dtype=torch.float64), torch.tensor([2.0, 0.5, 1.5], dtype=torch.float64)


def in_memory_order(values: Tensor, order: tuple[int, ...]) -> Tensor:
    """The same values, with the axes in this order in memory."""
    return values.permute(order).contiguous().permute([order.index(axis) for axis in range(values.dim())])


def formula(bottom: Tensor, mean: Tensor, variance: Tensor) -> Tensor:
    return (bottom - mean.view(-1, 1, 1)) / (variance.view(-1, 1, 1) + EPS).sqrt()


@pytest.mark.parametrize("stored", [False, True])
@pytest.mark.parametrize("shape", [(2, 3, 4, 1), (2, 3, 1, 5), (1, 3, 4, 5), (2, 3, 4, 5)])
def test_gradients_of_every_layout(shape: tuple[int, ...], stored: bool) -> None:
    values, gradient = random_bottom(*shape), random_bottom(*shape, seed=1)
    whole = values.clone().requires_grad_()
    statistics = (MEAN, VARIANCE) if stored else (whole.mean((0, 2, 3)), whole.var((0, 2, 3), correction=0))
    formula(whole, *statistics).backward(gradient)  # type: ignore[no-untyped-call]
    for order, gradients_order in itertools.product(itertools.permutations(range(4)), repeat=2):
        bottom = in_memory_order(values, order).requires_grad_()
        top = normalise_by_stored(bottom, MEAN, VARIANCE, EPS) if stored else normalise_by_batch(bottom, EPS)[0]
        top.backward(in_memory_order(gradient, gradients_order))  # type: ignore[no-untyped-call]
        assert bottom.grad is not None
        assert whole.grad is not None
        assert_close(bottom.grad, whole.grad)


@pytest.mark.parametrize("text", ["type: 'BatchNorm' batch_norm_param { eps: -1 }", "type: 'BN' bn_param { eps: nan }"])
def test_an_eps_below_0_is_refused(text: str) -> None:
    with pytest.raises(FieldError, match=r"^layer 'layer' \(B.*\): expected eps of at least 0, got "):
        build(text, (2, 3))
