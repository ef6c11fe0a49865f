"""Lets ReLUs and sums overwrite a bottom if no other operation reads the bottom and no gradient needs it."""

from collections.abc import Callable
from dataclasses import replace

from torch import Tensor
from torch.nn.functional import relu_

from caffe_compat.engine.plan import Operation, Plan, only_with
from caffe_compat.layers.activation.relu import ReLU
from caffe_compat.layers.base import Tops
from caffe_compat.layers.utility.eltwise import Eltwise


@only_with("ReLU", "Eltwise")
def in_place(plan: Plan) -> Plan:
    """Makes ReLUs and sums run in place where possible: they then write to memory that the cache knows already."""

    def rewritten(index: int, operation: Operation) -> Operation:
        if is_plain_relu(operation) and plan.may_overwrite(index, 0):
            return replace(operation, run=relu_)
        if is_plain_sum(operation):
            # The first two bottoms only: another one would change the order of the additions, and so the last digits.
            for place in (0, 1):
                if plan.may_overwrite(index, place):
                    return replace(operation, run=_summed(operation.run, place))
        return operation

    return replace(plan, operations=tuple(rewritten(*each) for each in enumerate(plan.operations)))


def is_plain_relu(operation: Operation) -> bool:
    """Whether the operation is a ReLU that computes max(x, 0), without a negative slope."""
    return operation.is_a("ReLU") and isinstance(operation.layer, ReLU) and operation.layer.negative_slope == 0


def is_plain_sum(operation: Operation) -> bool:
    """Whether the operation is an Eltwise that computes the sum of its bottoms, without coefficients."""
    return operation.is_a("Eltwise") and isinstance(operation.layer, Eltwise) and operation.layer.is_plain_sum


def _summed(layer: Callable[..., Tops], place: int) -> Callable[..., Tops]:
    """The sum, written over the bottom at `place`; by the layer where shapes or dtypes differ."""

    def add_up(*bottoms: Tensor) -> Tops:
        top, first = bottoms[place], bottoms[1 - place]
        if any(bottom.shape != top.shape or bottom.dtype != top.dtype for bottom in bottoms):
            return layer(*bottoms)
        for bottom in (first, *bottoms[2:]):
            top.add_(bottom)
        return top

    return add_up
