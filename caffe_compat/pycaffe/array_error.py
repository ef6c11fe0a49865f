"""An error of ours that scripts written for pycaffe catch as ValueError."""

from caffe_compat.errors import ShapeError


class ArrayError(ShapeError, ValueError):
    """An array has not the shape that a message, a mean or an order of axes needs."""
