"""ShuffleChannel (shuffle_channel_layer.cpp).

From the ShuffleNet forks.
"""

from torch import Tensor

from caffe_compat.errors import FieldError, ShapeError
from caffe_compat.layers.base import Layer, LayerSpec, Shape
from caffe_compat.layers.caffes import Meaning
from caffe_compat.layers.registry import register_layer


@register_layer("ShuffleChannel")
class ShuffleChannel(Layer):
    """Interleaves the channels of the groups: channel i of group g moves to index i * group + g."""

    hands_on = "moved"
    known_to = ("ShuffleNet",)
    meanings = (
        Meaning(
            "ShuffleNet and all forks that took it",
            "channels across groups",
            "shuffle_channel_param",
        ),
    )
    example = "shuffle_channel_param { group: 1 }"

    def __init__(self, spec: LayerSpec) -> None:
        super().__init__(spec)
        self.group: int = spec.params("shuffle_channel_param").group
        if self.group < 1:
            raise FieldError(f"{spec}: expected group of at least 1, got {self.group}")

    def top_shapes(self, *bottom_shapes: Shape) -> list[Shape]:
        shape = bottom_shapes[0]
        if len(shape) < 2 or shape[1] % self.group:
            raise ShapeError(
                f"{self.spec}: expected channels (axis 1) in {self.group} equal groups, got {tuple(shape)}"
            )
        return [shape]

    def forward(self, bottom: Tensor) -> Tensor:
        self.top_shapes(bottom.shape)
        batch, channels, *rest = bottom.shape
        grouped = bottom.reshape(batch, self.group, channels // self.group, *rest)
        return grouped.transpose(1, 2).reshape(bottom.shape)
