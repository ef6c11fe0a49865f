"""The `base` of Exp and Log."""

import math

from caffe_compat.errors import FieldError
from caffe_compat.layers.base import LayerSpec


def natural_logarithm_of_base(spec: LayerSpec, base: float) -> float:
    """log(base), where -1 stands for e."""
    if base == -1:
        return 1.0
    if base <= 0:
        raise FieldError(f"{spec}: expected base above 0, or -1 for e, got {base}")
    return math.log(base)
