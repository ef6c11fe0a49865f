"""The second operand of Scale and Bias: a blob or a bottom that covers some axes of bottom 0."""

from torch import Tensor

from caffe_compat.errors import FieldError, ShapeError
from caffe_compat.layers.base import Layer, Shape


def operand_shape(layer: Layer, bottom: Shape, axis: int, num_axes: int) -> Shape:
    """The shape of a learnt operand: `num_axes` axes of the bottom from `axis` on, all of them for -1."""
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
    """ShapeError unless the operand has the sizes of the bottom's axes from `axis` on; a single number fits any."""
    first = layer.canonical_axis(axis, len(bottom)) if operand else 0
    covered = tuple(bottom[first : first + len(operand)])
    if tuple(operand) != covered:
        raise ShapeError(
            f"{layer.spec}: expected an operand of shape {covered} (bottom 0 from axis {first} on), "
            f"got {tuple(operand)}"
        )


def aligned(layer: Layer, operand: Tensor, bottom: Tensor, axis: int) -> Tensor:
    """The operand with ones for the axes that it does not cover, so that it broadcasts over the bottom."""
    require_operand(layer, operand.shape, bottom.shape, axis)
    if operand.dim() == 0:
        return operand
    first = layer.canonical_axis(axis, bottom.dim())
    return operand.reshape(*operand.shape, *[1] * (bottom.dim() - first - operand.dim()))
