"""Chains of operations in which each operation is the only reader of the one before."""

from collections.abc import Callable, Iterable
from dataclasses import replace

from caffe_compat.engine.plan import Operation, Plan
from caffe_compat.layers.base import Tops


class Chains:
    """Finds consecutive operations of a plan that can be fused."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._number = {id(operation): index for index, operation in enumerate(plan.operations)}

    def next_after(self, operation: Operation, *types: str, inputs: int = 1) -> Operation | None:
        """Returns the only reader of the operation's only value, or None.

        The reader must be a layer of one of these types with `inputs` inputs in total. None also if the value is kept
        as a result, since fusing would remove the value.
        """
        number = self._plan.wiring.only_reader(self._number[id(operation)])
        if number is None or self._plan.kept.intersection(operation.outputs):
            return None
        reader = self._plan.operations[number]
        return reader if reader.is_a(*types) and len(reader.inputs) == inputs else None


def replace_chains(plan: Plan, fused: Iterable[tuple[list[Operation], Operation]]) -> Plan:
    """Returns the plan with each chain replaced by its fused operation, at the position of the chain's last one."""
    ends = {id(chain[-1]): operation for chain, operation in fused}
    gone = {id(operation) for chain, _ in fused for operation in chain[:-1]}
    kept = (ends.get(id(operation), operation) for operation in plan.operations if id(operation) not in gone)
    return replace(plan, operations=tuple(kept))


def fuse(chain: list[Operation], run: Callable[..., Tops]) -> Operation:
    """Returns an operation that calls `run` with the inputs of the chain's first and the outputs of its last."""
    return Operation(
        tuple(layer for operation in chain for layer in operation.layers),
        run,
        chain[0].inputs,
        chain[-1].outputs,
        any(operation.learns for operation in chain),
    )
