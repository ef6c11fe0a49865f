"""Matrix products of pixels, in place of 1x1 convolutions."""

from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, linear

#: With this many rows for each output, the order of a weight's gradient matters more than a copy of it.
MANY_ROWS = 4
#: Weights that a processor's cache does not hold, as numbers.
LARGE_WEIGHT = 2**19


def choose_pixels(bottom: Tensor, stride: tuple[int, ...]) -> Tensor:
    """Returns every stride-th pixel of a bottom (N, channels, H, W).

    Averages over windows of one pixel, because their gradient is written in one pass; that of slices takes two.
    """
    return avg_pool2d(bottom, 1, stride)


def multiply_rows(rows: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """rows (..., channels) times weight (outputs, channels), plus the bias: (..., outputs)."""
    outputs, channels = weight.shape
    learns = torch.is_grad_enabled() and weight.requires_grad and bias is None
    if learns and outputs > channels and rows.numel() >= MANY_ROWS * outputs * channels:
        # The weight's gradient is then a product with few rows, which takes 0.65 to 0.9 of the time of one with many.
        return rows @ weight.t().contiguous()
    products: Tensor = linear(rows, weight, bias)
    return products


def multiply_planes(planes: Tensor, weight: Tensor) -> Tensor:
    """The products (N, outputs, pixels) of a matrix (outputs, channels) and each image of planes (N, channels, pixels).

    A product of each image reads all weights again, and a few pixels do not fill a vector register. With a few pixels
    of more than two images, one product of all takes 0.1 to 0.9 of the time, copies included.
    """
    images, channels, pixels = planes.shape
    if pixels < (64 if weight.numel() >= LARGE_WEIGHT else 16):
        products = weight @ planes.transpose(0, 1).reshape(channels, -1)
        return products.view(len(weight), images, pixels).transpose(0, 1).contiguous()
    return torch.bmm(weight.expand(images, -1, -1), planes)


class _ProductBesideBottom(torch.autograd.Function):
    """The products of a 1x1 convolution, and the bottom; backward adds the gradient of the latter in the product."""

    @staticmethod
    def forward(ctx: Any, bottom: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
        ctx.save_for_backward(bottom, weight)
        ctx.set_materialize_grads(False)
        top = linear(bottom.permute(0, 2, 3, 1), weight).permute(0, 3, 1, 2)
        return top, bottom.view_as(bottom)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Tensor | None, Tensor | None]:
        bottom, weight = ctx.saved_tensors
        of_top, of_bottom = gradients
        if of_top is None:
            return of_bottom, None
        rows, of_rows = _rows(bottom), _rows(of_top)
        of_weight = of_rows.t() @ rows if ctx.needs_input_grad[1] else None
        if not ctx.needs_input_grad[0]:
            return None, of_weight
        total = of_rows @ weight if of_bottom is None else torch.addmm(_rows(of_bottom), of_rows, weight)
        images, channels, height, width = bottom.shape
        return total.view(images, height, width, channels).permute(0, 3, 1, 2), of_weight


def _rows(images: Tensor) -> Tensor:
    """(N, C, H, W) as (N H W, C)."""
    return images.permute(0, 2, 3, 1).reshape(-1, images.shape[1])


def multiply_beside_bottom(bottom: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """The products of weight (outputs, channels) and each pixel of a channels-last bottom, and the bottom for others.

    The gradient that comes back through the second is added within the product that gives the gradient of the first.
    """
    both: tuple[Tensor, Tensor] = _ProductBesideBottom.apply(bottom, weight)
    return both
