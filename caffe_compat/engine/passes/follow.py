"""Chains of operations: who alone reads whose only value."""

from collections.abc import Iterable
from dataclasses import replace

from caffe_compat.engine.plan import Operation, Plan


class Chains:
    """Looks along a plan for operations that can become one."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._number = {id(operation): index for index, operation in enumerate(plan.operations)}

    def next_after(self, operation: Operation, *types: str, inputs: int = 1) -> Operation | None:
        """The one reader of the operation's one value, if it is a layer of these types and nobody else looks.

        `inputs` is how many values the reader reads, all in all.
        """
        number = self._plan.wiring.only_reader(self._number[id(operation)])
        if number is None or self._plan.kept.intersection(operation.outputs):
            return None
        reader = self._plan.operations[number]
        return reader if reader.is_a(*types) and len(reader.inputs) == inputs else None


def replace_chains(plan: Plan, fused: Iterable[tuple[list[Operation], Operation]]) -> Plan:
    """Puts each fused operation where its chain ended; the values within the chain vanish."""
    ends = {id(chain[-1]): operation for chain, operation in fused}
    gone = {id(operation) for chain, _ in fused for operation in chain[:-1]}
    kept = (ends.get(id(operation), operation) for operation in plan.operations if id(operation) not in gone)
    return replace(plan, operations=tuple(kept))


def fuse(chain: list[Operation], run: object) -> Operation:
    """One operation for a chain: the first one's inputs, the last one's outputs."""
    return Operation(
        tuple(layer for operation in chain for layer in operation.layers),
        run,  # type: ignore[arg-type]
        chain[0].inputs,
        chain[-1].outputs,
        any(operation.learns for operation in chain),
    )
