"""Checks the sizes that scripts give to `reshape` of blobs."""

import math
import operator
from typing import Any

from caffe_compat.errors import ShapeError
from caffe_compat.layers.memory_budget import MOST_VALUES


class SizeError(ShapeError, TypeError):
    """A size is not a whole number; also a TypeError, which pycaffe raises."""


def whole_sizes(sizes: tuple[Any, ...]) -> tuple[int, ...]:
    """The sizes as ints, one per axis; SizeError for floats such as 4.0. NumPy integers are accepted."""
    try:
        whole = tuple(operator.index(size) for size in sizes)
    except TypeError as error:
        raise SizeError(
            f"expected one whole number an axis, as in reshape(1, 3, 224, 224), got {sizes}; write reshape(*shape), "
            "and // for a division"
        ) from error
    if any(size < 0 for size in whole):
        raise ShapeError(f"expected sizes of at least 0, got {whole}")
    if math.prod(whole) > MOST_VALUES:
        raise ShapeError(f"expected at most {MOST_VALUES} values, as in Caffe, got {whole}")
    return whole
