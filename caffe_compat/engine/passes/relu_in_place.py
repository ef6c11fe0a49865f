"""Lets ReLU overwrite its bottom if no other operation reads the bottom and no gradient needs it."""

from collections.abc import Callable
from dataclasses import replace

from torch import Tensor
from torch.nn.functional import relu_

from caffe_compat.engine.plan import Operation, Plan, only_with
from caffe_compat.layers.activation.relu import ReLU


@only_with("ReLU")
def relu_in_place(plan: Plan) -> Plan:
    """Makes ReLUs run in place where possible, which saves a copy of each activation before a ReLU."""

    def rewritten(index: int, operation: Operation) -> Operation:
        if is_plain_relu(operation) and plan.may_overwrite(index, 0):
            return replace(operation, run=_rectify())
        return operation

    return replace(plan, operations=tuple(rewritten(*each) for each in enumerate(plan.operations)))


def is_plain_relu(operation: Operation) -> bool:
    """Whether the operation is a ReLU that computes max(x, 0), without a negative slope."""
    return operation.is_a("ReLU") and isinstance(operation.layer, ReLU) and operation.layer.negative_slope == 0


def _rectify() -> Callable[[Tensor], Tensor]:
    return relu_
