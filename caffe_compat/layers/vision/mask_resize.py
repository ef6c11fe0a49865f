"""MaskResize of MNC."""

from collections.abc import Sequence

import torch
from torch import Tensor

from caffe_compat.errors import ShapeError
from caffe_compat.layers.base import Layer, LayerSpec, Shape
from caffe_compat.layers.caffes import Meaning
from caffe_compat.layers.registry import register_layer
from caffe_compat.layers.vision.interpolation import linear_weights, resampled, scaled_size
from caffe_compat.layers.windows import require_four_axes, require_positive


@register_layer("MaskResize")
class MaskResize(Layer):
    """Resizes (N, C, height, width) bilinearly: place i of the top lies at i * bottom size / top size of the bottom.

    The size is output_height x output_width; factor_height and factor_width of SSTD replace it by the bottom's size
    times the factor. A place more than half behind the bottom's last place gives 0, which happens where a side grows.
    From daijifeng001/caffe-mnc (mask_resize_layer.cu) and BestSonny/SSTD (mask_resize_layer.cpp).
    """

    known_to = ("MNC", "SSTD")
    meanings = (
        Meaning("MNC", "bilinear, to a given size", "output_height and output_width"),
        Meaning("SSTD", "the same, or by factors of the size", "factor_height, factor_width"),
    )
    example = "mask_resize_param { output_height: 1 output_width: 1 }"
    allows_in_place = False

    def __init__(self, spec: LayerSpec) -> None:
        super().__init__(spec)
        params = spec.params("mask_resize_param")
        self.size: tuple[int, int] = (params.output_height, params.output_width)
        self.factors: tuple[float, float] = (params.factor_height, params.factor_width)
        require_positive(spec, "output_height and output_width", self.size)

    def top_shapes(self, *bottom_shapes: Shape) -> list[Shape]:
        bottom = bottom_shapes[0]
        require_four_axes(self.spec, bottom)
        sizes = [
            scaled_size(size, factor) if factor > 0 else given
            for size, factor, given in zip(bottom[2:], self.factors, self.size, strict=True)
        ]
        if min(sizes) < 1:
            raise ShapeError(f"{self.spec}: expected places left after the factors {self.factors}, got {sizes}")
        return [(*bottom[:2], *sizes)]

    def forward(self, bottom: Tensor) -> Tensor:
        (shape,) = self.top_shapes(bottom.shape)
        return resampled(bottom, *self.weights(bottom, shape[2:]))

    def weights(self, bottom: Tensor, sizes: Sequence[int]) -> list[Tensor]:
        """The matrices (top size, bottom size) for height and width."""
        return [_weights(bottom, old, new) for old, new in zip(bottom.shape[2:], sizes, strict=True)]


def _weights(like: Tensor, old: int, new: int) -> Tensor:
    places = torch.arange(new, dtype=like.dtype, device=like.device) * (
        torch.tensor(old, dtype=like.dtype, device=like.device) / new
    )
    return linear_weights(places, old)
