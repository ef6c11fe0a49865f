"""The field `base`, which Exp and Log read in the same way."""

import math

from caffe_compat.errors import FieldError
from caffe_compat.layers.base import LayerSpec


def natural_logarithm_of_base(spec: LayerSpec, base: float) -> float:
    """Returns the natural logarithm of `base`, or 1 for -1 (e); FieldError for any other base not above 0."""
    if base == -1:
        return 1.0
    if base <= 0:
        raise FieldError(f"{spec}: expected base above 0, or -1 for e, got {base}")
    return math.log(base)
