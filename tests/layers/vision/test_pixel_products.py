"""Matrix products in place of 1x1 convolutions; beside the convolutions themselves in test_conv.py."""

import pytest
import torch

from caffe_compat.layers.vision.pixel_products import _multiply_rows, choose_pixels


@pytest.mark.parametrize("rows_an_output", [3.9, 4.0])
def test_the_weight_of_many_rows_gets_its_gradient_with_few(rows_an_output: float) -> None:
    generator = torch.Generator().manual_seed(17)
    rows = torch.randn(int(rows_an_output * 10), 1, 3, dtype=torch.float64, generator=generator, requires_grad=True)
    weight = torch.randn(10, 3, dtype=torch.float64, generator=generator, requires_grad=True)
    top = _multiply_rows(rows, weight, None)
    torch.testing.assert_close(top, rows @ weight.t())
    assert torch.autograd.gradcheck(lambda rows, weight: _multiply_rows(rows, weight, None), (rows, weight))


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
