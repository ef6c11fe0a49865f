"""The sizes of a blob's axes, as scripts give them to `reshape`."""

import math
import operator
from typing import Any

from caffe_compat.errors import ShapeError
from caffe_compat.layers.memory_budget import MOST_VALUES


class SizeError(ShapeError, TypeError):
    """A size is no whole number; a TypeError for scripts, as in pycaffe."""


def whole_sizes(sizes: tuple[Any, ...]) -> tuple[int, ...]:
    """One size an axis; NumPy's whole numbers count, 4.0 does not."""
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
