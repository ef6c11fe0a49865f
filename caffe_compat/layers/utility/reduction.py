"""Reduction (reduction_layer.cpp), and the mean of the k largest values, which BatchReduction has as well."""

import math
from collections.abc import Callable

from torch import Tensor

from caffe_compat.errors import FieldError
from caffe_compat.layers.base import Layer, LayerSpec, Shape
from caffe_compat.layers.caffes import BVLC_AND_SRN
from caffe_compat.layers.registry import register_layer


def top_k_mean(spec: LayerSpec, values: Tensor, axis: int, k: int) -> Tensor:
    """The mean of the k largest values along `axis`, which is removed from the result."""
    require_k(spec, k, values.shape[axis])
    return values.topk(k, axis).values.mean(axis)


def require_k(spec: LayerSpec, k: int, values: int) -> None:
    """Raises FieldError unless k lies in 1 to `values`."""
    if not 1 <= k <= values:
        raise FieldError(f"{spec}: expected k from 1 to {values} (the values to choose from), got {k}")


Reduce = Callable[[Tensor], Tensor]


def _sum(rows: Tensor) -> Tensor:
    return rows.sum(-1)


def _sum_of_sizes(rows: Tensor) -> Tensor:
    return rows.abs().sum(-1)


def _sum_of_squares(rows: Tensor) -> Tensor:
    return rows.square().sum(-1)


def _mean(rows: Tensor) -> Tensor:
    return rows.mean(-1)


#: Functions of a module, since a layer that holds a lambda cannot be pickled.
OPERATIONS: dict[str, Reduce] = {"SUM": _sum, "ASUM": _sum_of_sizes, "SUMSQ": _sum_of_squares, "MEAN": _mean}


@register_layer("Reduction")
class Reduction(Layer):
    """Reduces the axes from `axis` on by sum, sum of |x|, sum of x^2 or mean, times `coeff`.

    TOPK, the mean of the `k` largest values, is an operation of yjxiong/caffe.
    """

    known_to = BVLC_AND_SRN

    def __init__(self, spec: LayerSpec) -> None:
        super().__init__(spec)
        params = spec.params("reduction_param")
        self.chooses_values: bool = params.operation == "TOPK"
        k: int = params.k  # the fork accepts k for the other operations too, without effect
        self.k = k if self.chooses_values else 0
        self.reduce: Reduce = self._mean_of_largest if self.chooses_values else OPERATIONS[params.operation]
        self.axis: int = params.axis
        self.coefficient: float = params.coeff

    def top_shapes(self, *bottom_shapes: Shape) -> list[Shape]:
        shape = bottom_shapes[0]
        axis = self.canonical_axis(self.axis, len(shape))
        if self.chooses_values:
            require_k(self.spec, self.k, math.prod(shape[axis:]))
        return [shape[:axis]]

    def _mean_of_largest(self, rows: Tensor) -> Tensor:
        return top_k_mean(self.spec, rows, rows.dim() - 1, self.k)

    def forward(self, bottom: Tensor) -> Tensor:
        axis = self.canonical_axis(self.axis, bottom.dim())
        return self.reduce(bottom.flatten(axis)) * self.coefficient
