"""Eltwise (eltwise_layer.cpp)."""

from collections.abc import Callable, Sequence
from functools import reduce
from math import inf
from operator import add, mul

import torch
from torch import Tensor

from caffe_compat.errors import FieldError, ShapeError
from caffe_compat.layers.base import Layer, LayerSpec, Shape, at_least
from caffe_compat.layers.caffes import BVLC_AND_SRN, Meaning
from caffe_compat.layers.registry import register_layer


def larger(one: Tensor, other: Tensor) -> Tensor:
    """The elementwise maximum; for a tie, value and gradient come from `other`."""
    return torch.where(one > other, one, other)


def largest(bottoms: tuple[Tensor, ...]) -> Tensor:
    """The elementwise maximum.

    A tie of the first two bottoms goes to the second. Each later bottom wins only where it is larger.
    """
    top = larger(bottoms[0], bottoms[1])
    for bottom in bottoms[2:]:
        top = larger(bottom, top)
    return top


def weighted_sum(bottoms: tuple[Tensor, ...], coefficients: Sequence[float]) -> Tensor:
    """The sum of the bottoms, each multiplied by its coefficient if there are coefficients."""
    if not coefficients:
        return reduce(add, bottoms)
    return reduce(add, [weight * bottom for weight, bottom in zip(coefficients, bottoms, strict=True)])


#: By `operation`: function of the bottoms and the coefficients, which only SUM uses.
OPERATIONS: dict[str, Callable[[tuple[Tensor, ...], Sequence[float]], Tensor]] = {
    "PROD": lambda bottoms, _: reduce(mul, bottoms),
    "SUM": weighted_sum,
    "MAX": lambda bottoms, _: largest(bottoms),
}


@register_layer("Eltwise")
class Eltwise(Layer):
    """Product, sum (weighted by `coeff`) or maximum of bottoms of the same shape."""

    known_to = BVLC_AND_SRN
    meanings = (
        Meaning(
            "BVLC",
            "PROD, SUM or MAX",
            "operation",
        ),
        Meaning(
            "yjxiong",
            "a random choice of bottoms",
            "operation: STOCHASTIC_SUM",
            "refused",
        ),
    )
    backward_reads_top = False
    bottoms = at_least(2)

    def __init__(self, spec: LayerSpec) -> None:
        super().__init__(spec)
        params = spec.params("eltwise_param")
        params.ignore("stable_prod_grad")  # our gradient is always the stable one: the product of the other bottoms
        self.operation: str = params.operation
        # Caffe refuses coeff for PROD. For MAX, Caffe only checks the number of coefficients.
        coefficients: list[float] = params.coeff if self.operation != "PROD" else []
        self.coefficients = coefficients if self.operation == "SUM" else []
        if len(coefficients) not in (0, len(spec.parameter.bottom)):
            raise FieldError(
                f"{spec}: expected one coeff a bottom ({len(spec.parameter.bottom)}), got {len(coefficients)}"
            )

    @property
    def is_plain_sum(self) -> bool:
        """Whether the top is the sum of the bottoms, without coefficients."""
        return self.operation == "SUM" and not self.coefficients

    @property
    def growth(self) -> float:
        coefficients = self.coefficients or [1.0] * len(self.spec.parameter.bottom)
        return {"SUM": sum(map(abs, coefficients)), "MAX": 1.0}.get(self.operation, inf)

    def top_shapes(self, *bottom_shapes: Shape) -> list[Shape]:
        self._require_one_shape(bottom_shapes)
        return [bottom_shapes[0]]

    def forward(self, *bottoms: Tensor) -> Tensor:
        self._require_one_shape([bottom.shape for bottom in bottoms])
        return OPERATIONS[self.operation](bottoms, self.coefficients)

    def _require_one_shape(self, shapes: Sequence[Shape]) -> None:
        for index, shape in enumerate(shapes):
            if shape != shapes[0]:
                raise ShapeError(
                    f"{self.spec}: expected bottoms of one shape, got {tuple(shapes[0])} for bottom 0 "
                    f"and {tuple(shape)} for bottom {index}"
                )
