"""ArrayError: an error that scripts written for pycaffe can catch as ValueError."""

from caffe_compat.errors import ShapeError


class ArrayError(ShapeError, ValueError):
    """The shape of an array does not fit a message, a mean or an order of axes."""
