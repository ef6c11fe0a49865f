"""Scale (scale_layer.cpp), and the second operand that Bias has as well."""

from torch import Tensor

from caffe_compat.errors import FieldError, ShapeError
from caffe_compat.layers.base import Layer, LayerSpec, Shape, between, channels_of_image
from caffe_compat.layers.caffes import BVLC_AND_SRN
from caffe_compat.layers.registry import register_layer
from caffe_compat.proto import caffe_pb2


def operand_shape(layer: Layer, bottom: Shape, axis: int, num_axes: int) -> Shape:
    """Shape of a learned operand: the sizes of `num_axes` axes of the bottom from `axis` on; -1 means all of them.

    Raises FieldError for num_axes below -1, and ShapeError where the bottom has too few axes.
    """
    if num_axes < -1:
        raise FieldError(f"{layer.spec}: expected num_axes of at least -1 (all axes from axis on), got {num_axes}")
    if num_axes == 0:
        return ()
    first = layer.canonical_axis(axis, len(bottom))
    if num_axes == -1:
        return bottom[first:]
    if first + num_axes > len(bottom):
        raise ShapeError(f"{layer.spec}: expected axis + num_axes of at most {len(bottom)}, got {first} + {num_axes}")
    return bottom[first : first + num_axes]


def require_operand(layer: Layer, operand: Shape, bottom: Shape, axis: int) -> None:
    """Raises ShapeError unless the operand's sizes equal the bottom's from `axis` on; shape () always fits."""
    first = layer.canonical_axis(axis, len(bottom)) if operand else 0
    covered = tuple(bottom[first : first + len(operand)])
    if tuple(operand) != covered:
        raise ShapeError(
            f"{layer.spec}: expected an operand of shape {covered} (bottom 0 from axis {first} on), "
            f"got {tuple(operand)}"
        )


def aligned(layer: Layer, operand: Tensor, bottom: Tensor, axis: int) -> Tensor:
    """The operand with axes of size 1 appended, so that it broadcasts over the bottom's axes from `axis` on."""
    require_operand(layer, operand.shape, bottom.shape, axis)
    if operand.dim() == 0:
        return operand
    first = layer.canonical_axis(axis, bottom.dim())
    return operand.reshape(*operand.shape, *[1] * (bottom.dim() - first - operand.dim()))


ONES = caffe_pb2.FillerParameter(type="constant", value=1.0)


@register_layer("Scale")
class Scale(Layer):
    """Top x s, or x s + b with `bias_term`.

    The scale s is blob 0 or bottom 1, and b is the last blob. Axes of s and b are the axes of x that begin at `axis`.
    """

    known_to = BVLC_AND_SRN
    blob_names = ("weight", "bias")
    backward_reads_top = False
    bottoms = between(1, 2)

    @classmethod
    def item_for(cls, parameter: caffe_pb2.LayerParameter, blob: Shape) -> tuple[int | None, ...] | None:
        return channels_of_image(blob)

    def __init__(self, spec: LayerSpec) -> None:
        super().__init__(spec)
        params = spec.params("scale_param")
        self.keeps_shape = len(spec.parameter.bottom) == 1  # a second bottom must first be checked
        self.axis = params.axis
        self.num_axes = params.num_axes
        self.filler = params.filler if params.has("filler") else ONES
        self.bias_term = params.bias_term
        self.bias_filler = params.bias_filler

    def setup(self, *bottom_shapes: Shape) -> None:
        if len(bottom_shapes) == 1:
            shape = operand_shape(self, bottom_shapes[0], self.axis, self.num_axes)
            self.add_blob(shape, self.filler)
        else:
            shape = bottom_shapes[1]
        if self.bias_term:
            self.add_blob(shape, self.bias_filler)

    def top_shapes(self, *bottom_shapes: Shape) -> list[Shape]:
        operand = bottom_shapes[1] if len(bottom_shapes) > 1 else tuple(self.blobs[0].shape)
        require_operand(self, operand, bottom_shapes[0], self.axis)
        return [bottom_shapes[0]]

    def bias_blob(self) -> Tensor | None:
        """The bias, or None without one."""
        return self.blobs[-1] if self.bias_term else None

    def forward(self, bottom: Tensor, *given: Tensor) -> Tensor:
        scale = given[0] if given else self.blobs[0]
        scaled = bottom * aligned(self, scale, bottom, self.axis)
        bias = self.bias_blob()
        return scaled if bias is None else scaled.add_(aligned(self, bias, bottom, self.axis))
