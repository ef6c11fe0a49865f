"""Lets a sum overwrite one of its bottoms if no other operation reads that bottom and no gradient needs it."""

from collections.abc import Callable
from dataclasses import replace

from torch import Tensor

from caffe_compat.engine.plan import Operation, Plan, only_with
from caffe_compat.layers.base import Tops
from caffe_compat.layers.utility.eltwise import Eltwise


@only_with("Eltwise")
def sum_in_place(plan: Plan) -> Plan:
    """Makes Eltwise sums run in place where possible, which writes to memory that the cache knows already."""

    def rewritten(index: int, operation: Operation) -> Operation:
        if not is_plain_sum(operation):
            return operation
        # Only the first two bottoms: another one would change the order of the additions, and so the last digits.
        place = next((place for place in (0, 1) if plan.may_overwrite(index, place)), None)
        return operation if place is None else replace(operation, run=_summed(operation.run, place))

    return replace(plan, operations=tuple(rewritten(*each) for each in enumerate(plan.operations)))


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
