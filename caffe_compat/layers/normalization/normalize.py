"""Two layers named Normalize: the one of SSD, and the one of SRN's Caffe."""

import logging
import math
from typing import ClassVar

from torch import Tensor

from caffe_compat.errors import ShapeError
from caffe_compat.layers.base import Layer, LayerSpec, Shape
from caffe_compat.layers.caffes import SRN_FORK, Meaning
from caffe_compat.layers.registry import register_layer
from caffe_compat.proto import caffe_pb2

logger = logging.getLogger("caffe_compat")


@register_layer("NormalizeBBox")
class NormalizeBBox(Layer):
    """Top scale * x / sqrt(sum of x^2 + eps); the sum is over an item, or over the channels of each place.

    Blob: scale, shape () with channel_shared, else (C,); filled with 1 by default. From weiliu89/caffe
    (normalize_layer.cpp).
    """

    known_to: ClassVar[tuple[str, ...]] = ("SSD",)
    meanings: ClassVar[tuple[Meaning, ...]] = (Meaning("SSD ports for OpenCV", "SSD's Normalize", "the type's name"),)
    blob_names = ("weight",)

    def __init__(self, spec: LayerSpec) -> None:
        super().__init__(spec)
        params = spec.params("norm_param")
        self.is_across_spatial: bool = params.across_spatial
        self.is_shared: bool = params.channel_shared
        self.eps: float = params.eps
        given = params.has("scale_filler")
        self.scale_filler = params.scale_filler if given else caffe_pb2.FillerParameter(type="constant", value=1.0)

    def setup(self, *bottom_shapes: Shape) -> None:
        shape = bottom_shapes[0]
        if len(shape) < 2:
            raise ShapeError(f"{self.spec}: expected at least 2 axes, got {list(shape)}")
        self.add_blob(() if self.is_shared else (shape[1],), self.scale_filler)

    def top_shapes(self, *bottom_shapes: Shape) -> list[Shape]:
        shape = bottom_shapes[0]
        if len(shape) < 2:
            raise ShapeError(f"{self.spec}: expected at least 2 axes, got {list(shape)}")
        if self.blobs and self.blobs[0].dim() and shape[1] != len(self.blobs[0]):
            raise ShapeError(f"{self.spec}: expected {len(self.blobs[0])} channels on axis 1, got {shape[1]}")
        return [shape]

    def forward(self, bottom: Tensor) -> Tensor:
        self.top_shapes(bottom.shape)
        axes = tuple(range(1, bottom.dim())) if self.is_across_spatial else (1,)
        norm = (bottom.square().sum(dim=axes, keepdim=True) + self.eps).sqrt()
        scale: Tensor = self.blobs[0]
        return bottom / norm * scale.reshape(-1, *[1] * (bottom.dim() - 2))


@register_layer("Normalize")
class Normalize(NormalizeBBox):
    """SSD's layer if norm_param is set (`norm_param { }` suffices), else x / sqrt(sum of x^2) per item.

    The latter has no parameters; from yjxiong/caffe.
    """

    known_to = (SRN_FORK, "SSD")
    meanings = (
        Meaning(
            "SSD",
            "each place over the channels (or each item) to length 1, times a learned scale",
            "norm_param",
        ),
        Meaning(
            "SRN",
            "each item to length 1",
            "no norm_param",
        ),
        Meaning(
            "happynear/caffe-windows, SphereFace",
            "each place over the channels to length 1",
            "no norm_param, or normalize_param",
            "runs as SRN's; a warning where items have several places: norm_param { across_spatial: false } settles it",
        ),
    )
    example = "norm_param { }"
    blob_names = ("weight",)

    def __init__(self, spec: LayerSpec) -> None:
        super().__init__(spec)
        self.has_scale = spec.parameter.HasField("norm_param")

    def setup(self, *bottom_shapes: Shape) -> None:
        if self.has_scale:
            super().setup(*bottom_shapes)
        elif math.prod(bottom_shapes[0][2:]) > 1:
            logger.warning(
                "%s: without norm_param every item is divided as a whole, as in SRN's Caffe; other Caffes divide every "
                "place: for that, write norm_param { across_spatial: false } with a scale of 1",
                self.spec,
            )

    def forward(self, bottom: Tensor) -> Tensor:
        if self.has_scale:
            return super().forward(bottom)
        self.top_shapes(bottom.shape)
        rows = bottom.flatten(1)
        return (rows / rows.square().sum(dim=1, keepdim=True).sqrt()).reshape(bottom.shape)
