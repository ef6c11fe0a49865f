"""Parameter (parameter_layer.hpp)."""

from torch import Tensor

from caffe_compat.layers.base import Layer, LayerSpec, Shape, exactly
from caffe_compat.layers.caffes import BVLC
from caffe_compat.layers.registry import register_layer


@register_layer("Parameter")
class Parameter(Layer):
    """A learnable blob as the top; `parameter_param` gives its shape, and it starts at zero."""

    known_to = (BVLC,)
    tops_have_batch = False
    blob_names = ("weight",)
    bottoms = exactly(0)

    def __init__(self, spec: LayerSpec) -> None:
        super().__init__(spec)
        self.shape: Shape = tuple(spec.params("parameter_param").shape.dim)

    def setup(self, *_: Shape) -> None:
        self.add_blob(self.shape)

    def top_shapes(self, *_: Shape) -> list[Shape]:
        return [self.shape]

    def forward(self) -> Tensor:
        blob: Tensor = self.blobs[0]
        return blob.view_as(blob)
