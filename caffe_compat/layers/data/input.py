"""Input: tops that the user fills (input_layer.cpp)."""

from torch import Tensor

from caffe_compat.errors import ShapeError
from caffe_compat.layers.base import Layer, LayerSpec, Shape, Tops, at_least, exactly
from caffe_compat.layers.caffes import BVLC
from caffe_compat.layers.registry import register_layer


@register_layer("Input")
class Input(Layer):
    """Tops with the shapes of `input_param`: a single shape for all tops, or one shape per top."""

    known_to = (BVLC,)
    is_in_onnx = False
    bottoms = exactly(0)
    tops = at_least(1)
    is_input = True

    def __init__(self, spec: LayerSpec) -> None:
        super().__init__(spec)
        shapes = [tuple(shape.dim) for shape in spec.params("input_param").shape]
        if len(shapes) not in (0, 1, spec.top_count):
            raise ShapeError(f"{spec}: expected 0, 1 or {spec.top_count} shapes (one a top), got {len(shapes)}")
        spec.params("transform_param").ignore_all()  # says what images the net expects; nothing is changed here
        self.shapes: list[Shape] = (shapes or [()]) * (spec.top_count if len(shapes) < 2 else 1)

    def top_shapes(self, *bottom_shapes: Shape) -> list[Shape]:
        return self.shapes

    def forward(self, *bottoms: Tensor) -> Tops:
        raise NotImplementedError("an Input layer is filled from outside and never runs")
