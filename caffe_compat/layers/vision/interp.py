"""Interp of DeepLab and PSPNet."""

from torch import Tensor
from torch.nn.functional import interpolate

from caffe_compat.errors import FieldError, ShapeError
from caffe_compat.layers.base import Layer, LayerSpec, Shape, between
from caffe_compat.layers.caffes import Meaning
from caffe_compat.layers.registry import register_layer
from caffe_compat.layers.windows import require_four_axes


@register_layer("Interp")
class Interp(Layer):
    """Resizes (N, C, height, width) bilinearly with aligned corners, after cropping -pad_beg and -pad_end pixels.

    If exactly one of shrink_factor and zoom_factor is set, that factor gives the size. Otherwise `height` and `width`
    give the size; if these are not set, both factors apply. A bottom 1 gives the size by its shape; its values are not
    read. From hszhao/PSPNet (interp_layer.cpp); bottom 1 from yangguorun/SegStereo.
    """

    known_to = ("DeepLab", "PSPNet", "SegStereo")
    meanings = (
        Meaning(
            "DeepLab, PSPNet, SegStereo",
            "bilinear, corner on corner",
            "interp_param without fields of others",
        ),
        Meaning(
            "SegStereo",
            "nearest by interp_type",
            "interp_type",
            "refused",
        ),
        Meaning(
            "soeaver/caffe-model",
            "the size of bottom 1 by use_blob_size",
            "use_blob_size",
            "refused: a second bottom gives the size here",
        ),
        Meaning(
            "Cambricon",
            "other corners by align_corners: false",
            "align_corners",
            "refused",
        ),
    )
    example = "interp_param { height: 1 width: 1 }"
    bottoms = between(1, 2)
    no_gradient_to = frozenset({1})
    leaves_out_gradient_to = no_gradient_to
    allows_in_place = False

    def __init__(self, spec: LayerSpec) -> None:
        super().__init__(spec)
        params = spec.params("interp_param")
        self.crop: tuple[int, int] = (-params.pad_beg, -params.pad_end)
        self.size: tuple[int, int] | None = (params.height, params.width) if params.has("height") else None
        self.shrink: int | None = params.shrink_factor if params.has("shrink_factor") else None
        self.zoom: int | None = params.zoom_factor if params.has("zoom_factor") else None
        self._require_valid(params.has("height") == params.has("width"))

    def top_shapes(self, *bottom_shapes: Shape) -> list[Shape]:
        bottom = bottom_shapes[0]
        cropped = self._cropped(bottom)
        size = self._size_of(bottom_shapes[1]) if len(bottom_shapes) > 1 else self._size_after(cropped)
        return [(*bottom[:2], *size)]

    def forward(self, bottom: Tensor, *like: Tensor) -> Tensor:
        (shape,) = self.top_shapes(bottom.shape, *(other.shape for other in like))
        height, width = self._cropped(bottom.shape)
        bottom = bottom.narrow(2, self.crop[0], height).narrow(3, self.crop[0], width)
        return interpolate(bottom, shape[2:], mode="bilinear", align_corners=True)

    def _cropped(self, bottom: Shape) -> tuple[int, int]:
        """Height and width of the bottom after pad_beg and pad_end."""
        require_four_axes(self.spec, bottom)
        height, width = (size - sum(self.crop) for size in bottom[2:])
        if height < 1 or width < 1:
            raise ShapeError(f"{self.spec}: expected pixels left after cropping {self.crop}, got {height}x{width}")
        return height, width

    def _size_of(self, like: Shape) -> tuple[int, int]:
        if len(like) != 4:
            raise ShapeError(f"{self.spec}: expected 4 axes in bottom 1, which gives the size, got {list(like)}")
        return like[2], like[3]

    def _size_after(self, cropped: tuple[int, int]) -> tuple[int, int]:
        if (self.shrink is None) == (self.zoom is None) and self.size is not None:
            return self.size
        return self._resized(cropped[0]), self._resized(cropped[1])

    def _resized(self, size: int) -> int:
        shrunk = (size - 1) // (self.shrink or 1) + 1
        return (shrunk - 1) * (self.zoom or 1) + 1

    def _require_valid(self, sizes_match: bool) -> None:
        if min(self.crop) < 0:
            raise FieldError(f"{self.spec}: expected pad_beg and pad_end of 0 or below (cropping), got one above")
        is_sized = self.size is not None or self.shrink is not None or self.zoom is not None
        if len(self.spec.parameter.bottom) == 2:
            if is_sized:
                raise FieldError(f"{self.spec}: expected no size or factor where bottom 1 gives the size, got one")
        elif not sizes_match or not is_sized:
            raise FieldError(f"{self.spec}: expected shrink_factor, zoom_factor, or height and width, got none")
        numbers = [*(self.size or ()), *(factor for factor in (self.shrink, self.zoom) if factor is not None)]
        if any(number < 1 for number in numbers):
            raise FieldError(f"{self.spec}: expected sizes and factors above 0, got {numbers}")
