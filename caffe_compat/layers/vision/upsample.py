"""Two layers named Upsample: SegNet's, the inverse of a Pooling, and that of the YOLO ports, which repeats pixels."""

from torch import Tensor

from caffe_compat.errors import FieldError, ShapeError
from caffe_compat.layers.base import Layer, LayerSpec, Shape, between
from caffe_compat.layers.caffes import Meaning
from caffe_compat.layers.registry import register_layer
from caffe_compat.layers.spec import Params
from caffe_compat.layers.vision.unpool import places_of, unpool
from caffe_compat.layers.windows import SpatialField, require_four_axes, require_positive

ONLY_WITH_MASK = ("upsample_h", "upsample_w", "pad_out_h", "pad_out_w")


@register_layer("Upsample")
class Upsample(Layer):
    """With a mask (bottom 1, top 1 of a Pooling), moves each element to the index in the mask; other places are 0.

    The size is upsample_h x upsample_w, else the bottom's size times `scale`, less 1 where pad_out_h or pad_out_w is
    set. From alexgkendall/caffe-segnet (upsample_layer.cpp).

    Without a mask, each pixel is repeated in a scale_h x scale_w block. From ChenYingpeng/caffe-yolov3 and
    eric612/MobileNet-YOLO (upsample_layer.cpp).
    """

    known_to = ("SegNet", "YOLO ports")
    meanings = (
        Meaning(
            "SegNet",
            "puts values where the mask of Pooling says",
            "two bottoms",
        ),
        Meaning(
            "the YOLO ports",
            "repeats each pixel scale times",
            "one bottom",
        ),
        Meaning(
            "Wulingtian/yolov5_caffe",
            "by mode, height_scale and width_scale",
            "these fields",
            "refused",
        ),
    )
    example = "bottom: 'a' bottom: 'mask' top: 'b'"
    bottoms = between(1, 2)
    no_gradient_to = frozenset({1})
    leaves_out_gradient_to = no_gradient_to
    allows_in_place = False

    def __init__(self, spec: LayerSpec) -> None:
        super().__init__(spec)
        params = spec.params("upsample_param")
        scale = SpatialField(spec, params, "scale", default=2)
        self.has_mask = len(spec.parameter.bottom) == 2
        self.size: tuple[int, int] | None = self._size(params)
        self.scale: list[int] = scale.along(2)
        self.less: tuple[bool, bool] = (params.pad_out_h, params.pad_out_w)
        if self.has_mask:
            self._require_size()
        else:
            self._require_only_scale(params, scale)

    def top_shapes(self, *bottom_shapes: Shape) -> list[Shape]:
        bottom, *mask = bottom_shapes
        if mask:
            if len(bottom) != 4 or mask[0] != bottom:
                raise ShapeError(
                    f"{self.spec}: expected 4 axes and a mask of the bottom's shape {list(bottom)}, "
                    f"got a mask of {list(mask[0])}"
                )
            return [(*bottom[:2], *(self.size or self._scaled(bottom)))]
        require_four_axes(self.spec, bottom)
        return [(*bottom[:2], bottom[2] * self.scale[0], bottom[3] * self.scale[1])]

    def forward(self, bottom: Tensor, *mask: Tensor) -> Tensor:
        self.top_shapes(bottom.shape, *(other.shape for other in mask))
        if mask:
            return self._unpooled(bottom, mask[0])
        return bottom.repeat_interleave(self.scale[0], dim=2).repeat_interleave(self.scale[1], dim=3)

    def _unpooled(self, bottom: Tensor, mask: Tensor) -> Tensor:
        height, width = self.size or self._scaled(bottom.shape)
        return unpool(bottom, places_of(self.spec, mask, height, width), height, width)

    def _size(self, params: Params) -> tuple[int, int] | None:
        if params.has("upsample_h") != params.has("upsample_w"):
            raise FieldError(f"{self.spec}: expected both upsample_h and upsample_w, or neither, got one")
        return (params.upsample_h, params.upsample_w) if params.has("upsample_h") else None

    def _scaled(self, bottom: Shape) -> tuple[int, int]:
        height, width = (
            size * scale - int(odd) for size, scale, odd in zip(bottom[2:], self.scale, self.less, strict=True)
        )
        return height, width

    def _require_size(self) -> None:
        if min(self.size or self.scale) < 2:
            raise FieldError(f"{self.spec}: expected upsampled sizes and scales above 1, got {self.size or self.scale}")
        if self.size is None and any(odd and scale != 2 for odd, scale in zip(self.less, self.scale, strict=True)):
            raise FieldError(f"{self.spec}: expected scale 2 where pad_out_h or pad_out_w is set, got {self.scale}")

    def _require_only_scale(self, params: Params, scale: SpatialField) -> None:
        needless = [field for field in ONLY_WITH_MASK if params.has(field)]
        if needless:
            raise FieldError(f"{self.spec}: expected a mask as bottom 1 where {needless[0]} is set, got 1 bottom")
        if not scale.is_set:  # the default differs: 2 in SegNet's Caffe, 1 in the YOLO ports
            raise FieldError(f"{self.spec}: expected scale to be set where there is no mask (bottom 1), got none")
        require_positive(self.spec, "scale", self.scale)
