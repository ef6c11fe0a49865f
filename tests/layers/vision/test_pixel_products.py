"""Matrix products in place of 1x1 convolutions; beside the convolutions themselves in test_conv.py."""

import pytest
import torch
from torch import Tensor
from torch.autograd import gradcheck
from torch.nn.functional import conv2d

from caffe_compat.layers.vision.pixel_products import choose_pixels, multiply_beside_bottom, multiply_rows


@pytest.mark.parametrize("rows_an_output", [3.9, 4.0])
def test_the_weight_of_many_rows_gets_its_gradient_with_few(rows_an_output: float) -> None:
    generator = torch.Generator().manual_seed(17)
    rows = torch.randn(int(rows_an_output * 10), 1, 3, dtype=torch.float64, generator=generator, requires_grad=True)
    weight = torch.randn(10, 3, dtype=torch.float64, generator=generator, requires_grad=True)
    top = multiply_rows(rows, weight, None)
    torch.testing.assert_close(top, rows @ weight.t())
    assert gradcheck(lambda rows, weight: multiply_rows(rows, weight, None), (rows, weight))


@pytest.mark.parametrize("stride", [(1, 2), (3, 2), (4, 9)])
def test_chosen_pixels_are_those_of_the_stride(stride: tuple[int, int]) -> None:
    images = torch.randn(
        2, 3, 7, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(5), requires_grad=True
    )
    chosen = choose_pixels(images, stride)
    assert torch.equal(chosen, images[:, :, :: stride[0], :: stride[1]])
    (gradient,) = torch.autograd.grad(chosen.sum(), images)
    expected = torch.zeros_like(images)
    expected[:, :, :: stride[0], :: stride[1]] = 1
    assert torch.equal(gradient, expected)


def innermost(*shape: int, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    values = torch.randn(*shape, dtype=torch.float64, generator=generator).to(memory_format=torch.channels_last)
    return values.requires_grad_()


def test_products_beside_their_bottom_have_the_gradients_of_both() -> None:
    bottom, weight = innermost(2, 3, 4, 5, seed=1), torch.randn(6, 3, dtype=torch.float64).requires_grad_()
    top, same = multiply_beside_bottom(bottom, weight)
    torch.testing.assert_close(top, conv2d(bottom, weight[:, :, None, None]))
    assert torch.equal(same, bottom)
    assert top.is_contiguous(memory_format=torch.channels_last)
    assert gradcheck(lambda *both: multiply_beside_bottom(*both), (bottom, weight))
    for chosen in (0, 1):
        assert gradcheck(lambda *both: multiply_beside_bottom(*both)[chosen], (bottom, weight))  # noqa: B023


@pytest.mark.parametrize("learning", [0, 1])
def test_products_beside_their_bottom_of_which_one_learns(learning: int) -> None:
    both = innermost(2, 3, 4, 5, seed=2), torch.randn(6, 3, dtype=torch.float64).requires_grad_()
    both[1 - learning].requires_grad_(False)
    assert gradcheck(lambda *given: multiply_beside_bottom(*given)[0], both)


def test_a_gradient_with_channels_outermost_is_taken_as_well() -> None:
    bottom, weight = innermost(2, 3, 4, 5, seed=3), torch.randn(6, 3, dtype=torch.float64).requires_grad_()
    top, same = multiply_beside_bottom(bottom, weight)
    outermost = torch.randn(2, 6, 4, 5, dtype=torch.float64), torch.randn(2, 3, 4, 5, dtype=torch.float64)
    found = torch.autograd.grad((top, same), (bottom, weight), outermost)
    plain = conv2d(bottom, weight[:, :, None, None]), bottom * 1
    for one, other in zip(found, torch.autograd.grad(plain, (bottom, weight), outermost), strict=True):
        torch.testing.assert_close(one, other)
