"""The axis of Concat and Slice, which older nets set by concat_dim and slice_dim."""

from caffe_compat.errors import FieldError
from caffe_compat.layers.base import LayerSpec
from caffe_compat.layers.params import Params


def read_axis(spec: LayerSpec, params: Params, legacy: str) -> int:
    """Returns `axis`, or the legacy field's value if that is set; FieldError if both are set."""
    has_axis, has_legacy = params.has("axis"), params.has(legacy)
    if has_axis and has_legacy:
        raise FieldError(f"{spec}: expected either axis or {legacy}, found both")
    return int(getattr(params, legacy) if has_legacy else params.axis)
