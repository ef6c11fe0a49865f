"""The TOPK reduction of yjxiong/caffe, for Reduction and BatchReduction."""

from torch import Tensor

from caffe_compat.errors import FieldError
from caffe_compat.layers.base import LayerSpec


def top_k_mean(spec: LayerSpec, values: Tensor, axis: int, k: int) -> Tensor:
    """The mean of the k largest values along an axis, which goes away."""
    require_k(spec, k, values.shape[axis])
    return values.topk(k, axis).values.mean(axis)


def require_k(spec: LayerSpec, k: int, values: int) -> None:
    """FieldError unless k of this many values can be chosen."""
    if not 1 <= k <= values:
        raise FieldError(f"{spec}: expected k from 1 to {values} (the values to choose from), got {k}")
