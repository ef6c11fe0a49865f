"""The second operand of Scale and Bias: a blob or a bottom that covers some axes of bottom 0."""

from torch import Tensor

from caffe_compat.errors import FieldError, ShapeError
from caffe_compat.layers.base import Layer, Shape


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
