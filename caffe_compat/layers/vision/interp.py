"""Interp of DeepLab and PSPNet."""

from torch import Tensor
from torch.nn.functional import interpolate

from caffe_compat.errors import FieldError, ShapeError
from caffe_compat.layers.base import Layer, LayerSpec
from caffe_compat.layers.registry import register_layer


@register_layer("Interp")
class Interp(Layer):
    """Resizes (N, C, height, width) bilinearly, corner to corner, after cropping -pad_beg and -pad_end pixels.

    The size follows from one of shrink_factor and zoom_factor, else is `height` x `width`, else follows from both
    factors. From hszhao/PSPNet (interp_layer.cpp).
    """

    allows_in_place = False

    def __init__(self, spec: LayerSpec) -> None:
        super().__init__(spec)
        params = spec.params("interp_param")
        self.crop: tuple[int, int] = (-params.pad_beg, -params.pad_end)
        self.size: tuple[int, int] | None = (params.height, params.width) if params.has("height") else None
        self.shrink: int | None = params.shrink_factor if params.has("shrink_factor") else None
        self.zoom: int | None = params.zoom_factor if params.has("zoom_factor") else None
        self._require_valid(params.has("height") == params.has("width"))

    def forward(self, bottom: Tensor) -> Tensor:
        before, after = self.crop
        height, width = (size - before - after for size in bottom.shape[2:])
        if height < 1 or width < 1:
            raise ShapeError(f"{self.spec}: expected pixels left after cropping {self.crop}, got {height}x{width}")
        bottom = bottom.narrow(2, before, height).narrow(3, before, width)
        size = self._resized(height), self._resized(width)
        if (self.shrink is None) == (self.zoom is None) and self.size is not None:
            size = self.size
        return interpolate(bottom, size, mode="bilinear", align_corners=True)

    def _resized(self, size: int) -> int:
        shrunk = (size - 1) // (self.shrink or 1) + 1
        return (shrunk - 1) * (self.zoom or 1) + 1

    def _require_valid(self, sizes_match: bool) -> None:
        if min(self.crop) < 0:
            raise FieldError(f"{self.spec}: expected pad_beg and pad_end of 0 or below (cropping), got one above")
        if not sizes_match or (self.size is None and self.shrink is None and self.zoom is None):
            raise FieldError(f"{self.spec}: expected shrink_factor, zoom_factor, or height and width, got none")
        numbers = [*(self.size or ()), *(factor for factor in (self.shrink, self.zoom) if factor is not None)]
        if any(number < 1 for number in numbers):
            raise FieldError(f"{self.spec}: expected sizes and factors above 0, got {numbers}")
