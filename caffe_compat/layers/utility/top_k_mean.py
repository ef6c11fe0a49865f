"""The TOPK reduction of yjxiong/caffe, shared by Reduction and BatchReduction."""

from torch import Tensor

from caffe_compat.errors import FieldError
from caffe_compat.layers.base import LayerSpec


def top_k_mean(spec: LayerSpec, values: Tensor, axis: int, k: int) -> Tensor:
    """The mean of the k largest values along `axis`, which is removed from the result."""
    require_k(spec, k, values.shape[axis])
    return values.topk(k, axis).values.mean(axis)


def require_k(spec: LayerSpec, k: int, values: int) -> None:
    """Raises FieldError unless k lies in 1 to `values`."""
    if not 1 <= k <= values:
        raise FieldError(f"{spec}: expected k from 1 to {values} (the values to choose from), got {k}")
