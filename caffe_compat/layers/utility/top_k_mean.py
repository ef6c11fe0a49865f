"""The TOPK reduction of yjxiong/caffe, for Reduction and BatchReduction."""

from torch import Tensor

from caffe_compat.errors import FieldError
from caffe_compat.layers.base import LayerSpec


def top_k_mean(spec: LayerSpec, values: Tensor, axis: int, k: int) -> Tensor:
    """The mean of the k largest values along an axis, which goes away."""
    if not 1 <= k <= values.shape[axis]:
        raise FieldError(f"{spec}: expected k from 1 to {values.shape[axis]} (the values to choose from), got {k}")
    return values.topk(k, axis).values.mean(axis)
