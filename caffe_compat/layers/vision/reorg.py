"""Reorg of the YOLO ports."""

from torch import Tensor

from caffe_compat.errors import FieldError, ShapeError
from caffe_compat.layers.base import Layer, LayerSpec, Shape
from caffe_compat.layers.caffes import Meaning
from caffe_compat.layers.registry import register_layer
from caffe_compat.layers.windows import require_four_axes, require_positive


@register_layer("Reorg")
class Reorg(Layer):
    """Trades height and width for channels: (N, C, H, W) becomes (N, C * s * s, H / s, W / s), s being `stride`.

    With `reverse` the sizes go the other way. As in Darknet, whose weights such nets hold, the values are not moved as
    these sizes suggest. Without `reverse`, the bottom's numbers are read as (C / s / s, H * s, W * s); every block of
    s x s places becomes s * s channels; the result, (C, H, W), is read as the top. From BirdeeChen/caffe_yolo_v2
    (reorg_layer.cpp, and reorg_cpu in math_functions.cpp).
    """

    known_to = ("YOLO ports",)
    meanings = (Meaning("the YOLO ports", "Darknet's order of numbers", "reorg_param"),)
    example = "reorg_param { stride: 1 }"
    hands_on = "moved"
    allows_in_place = False

    def __init__(self, spec: LayerSpec) -> None:
        super().__init__(spec)
        params = spec.params("reorg_param")
        if not params.has("stride"):
            raise FieldError(f"{spec}: expected stride to be set, got none")
        self.stride: int = params.stride
        self.reverse: bool = params.reverse
        require_positive(spec, "stride", (self.stride,))

    def top_shapes(self, *bottom_shapes: Shape) -> list[Shape]:
        bottom = bottom_shapes[0]
        require_four_axes(self.spec, bottom)
        count, channels, height, width = bottom
        stride, block = self.stride, self.stride**2
        if channels % block or (not self.reverse and (height % stride or width % stride)):
            sizes = "" if self.reverse else f", and height and width in multiples of {stride}"
            raise ShapeError(f"{self.spec}: expected channels in multiples of {block}{sizes}, got {list(bottom)}")
        if self.reverse:
            return [(count, channels // block, height * stride, width * stride)]
        return [(count, channels * block, height // stride, width // stride)]

    def forward(self, bottom: Tensor) -> Tensor:
        (shape,) = self.top_shapes(bottom.shape)
        count, channels, height, width = bottom.shape
        stride, groups = self.stride, channels // self.stride**2
        if self.reverse:
            blocks = bottom.reshape(count, stride, stride, groups, height, width)
            return blocks.permute(0, 3, 4, 1, 5, 2).reshape(shape)
        places = bottom.reshape(count, groups, height, stride, width, stride)
        return places.permute(0, 3, 5, 1, 2, 4).reshape(shape)
