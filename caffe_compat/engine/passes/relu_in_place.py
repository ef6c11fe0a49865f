"""ReLU writes over its bottom where nobody else reads it and no gradient needs it."""

from collections.abc import Callable
from dataclasses import replace

from torch import Tensor
from torch.nn.functional import relu_

from caffe_compat.engine.plan import Operation, Plan
from caffe_compat.layers.activation.relu import ReLU


def relu_in_place(plan: Plan) -> Plan:
    """Saves a copy of every activation between a convolution and its ReLU."""
    readers, kept = plan.readers(), plan.kept
    maker = {value: operation for operation in plan.operations for value in operation.outputs}

    def rewritten(operation: Operation) -> Operation:
        value = operation.inputs[0] if operation.inputs else ""
        fits = is_plain_relu(operation) and len(readers[value]) == 1 and value not in kept and value in maker
        if not fits or maker[value].layer.backward_reads_top:
            return operation
        return replace(operation, run=_rectify())

    return replace(plan, operations=tuple(rewritten(operation) for operation in plan.operations))


def is_plain_relu(operation: Operation) -> bool:
    """Whether it is max(x, 0)."""
    return operation.is_a("ReLU") and isinstance(operation.layer, ReLU) and operation.layer.negative_slope == 0


def _rectify() -> Callable[[Tensor], Tensor]:
    return relu_
