"""PReLU (prelu_layer.cpp)."""

from torch import Tensor
from torch.nn import functional

from caffe_compat.errors import ShapeError
from caffe_compat.layers.base import Layer, LayerSpec, Shape, channels_of_image, require_channels
from caffe_compat.layers.caffes import BVLC_AND_SRN
from caffe_compat.layers.registry import register_layer
from caffe_compat.proto import caffe_pb2

QUARTER = caffe_pb2.FillerParameter(type="constant", value=0.25)


@register_layer("PReLU")
class PReLU(Layer):
    """Top x where x is above 0, else a x.

    Blob 0 holds a: one value per channel (C,), or a single value () with `channel_shared`.
    """

    known_to = BVLC_AND_SRN
    blob_names = ("weight",)
    keeps_shape = True

    @classmethod
    def item_for(cls, parameter: caffe_pb2.LayerParameter, blob: Shape) -> tuple[int | None, ...] | None:
        return channels_of_image(blob)

    def __init__(self, spec: LayerSpec) -> None:
        super().__init__(spec)
        params = spec.params("prelu_param")
        self.channel_shared = params.channel_shared
        self.filler = params.filler if params.has("filler") else QUARTER

    def setup(self, *bottom_shapes: Shape) -> None:
        shape = bottom_shapes[0]
        if len(shape) < 2:
            raise ShapeError(f"{self.spec}: expected a bottom of at least 2 axes (N, C, ...), got {shape}")
        self.add_blob(() if self.channel_shared else shape[1:2], self.filler)

    def forward(self, bottom: Tensor) -> Tensor:
        if self.blobs[0].dim():
            require_channels(self.spec, bottom.shape, len(self.blobs[0]))
        return functional.prelu(bottom, self.blobs[0])
