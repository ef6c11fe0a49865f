"""Plan: a net as a list of operations for passes to rewrite; each value is written once.

Chains finds operations that a pass may fuse, of which each is the only reader of the one before.
"""

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from functools import cached_property, wraps
from itertools import groupby

import torch
from torch import Tensor

from caffe_compat.graph.wiring import Step, Wiring
from caffe_compat.layers.base import Layer, Tops, as_tuple
from caffe_compat.layers.new_blobs import refuse_lack_of_memory

HALF = (torch.bfloat16, torch.float16)


@dataclass(frozen=True)
class Operation:
    """A call that reads and writes named values.

    `layers` are the Caffe layers that the call replaces. `learns` is true if autograd must record the call.
    """

    layers: tuple[Layer, ...]
    run: Callable[..., Tops]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    learns: bool

    @property
    def layer(self) -> Layer:
        """The last of the operation's layers."""
        return self.layers[-1]

    def is_a(self, *types: str) -> bool:
        """Whether the operation is exactly one unchanged layer of one of these types."""
        return len(self.layers) == 1 and self.run is self.layer and self.layer.spec.type in types


@dataclass(frozen=True)
class Plan:
    """Operations in the order of execution.

    `results` maps requested blobs to values. `losses` holds values with their weights. `feeds` maps values that come
    from outside to blobs.
    """

    operations: tuple[Operation, ...]
    results: dict[str, str]
    losses: tuple[tuple[str, float], ...]
    feeds: dict[str, str] = field(default_factory=dict)

    @property
    def kept(self) -> set[str]:
        """The values that must exist after a run: results and losses."""
        return {*self.results.values(), *(value for value, _ in self.losses)}

    @cached_property
    def last_uses(self) -> dict[int, list[str]]:
        """By operation index, the values that can be freed after that operation."""
        return self.wiring.last_uses(self.kept)

    def has(self, types: Iterable[str], learning: bool) -> bool:
        """Whether a layer of one of these types is in the plan; if `learning` is false, one that does not learn."""
        counted = [operation for operation in self.operations if learning or not operation.learns]
        return any(layer.spec.type in types for operation in counted for layer in operation.layers)

    @cached_property
    def wiring(self) -> Wiring:
        """The connections: which operations make and read each value."""
        return Wiring((operation.inputs, operation.outputs) for operation in self.operations)

    def rename(self, names: dict[str, str]) -> "Plan":
        """Returns the plan with values read under other names: each key of `names` becomes its value."""

        def resolve(value: str) -> str:
            while value in names:
                value = names[value]
            return value

        return replace(
            self,
            operations=tuple(replace(op, inputs=tuple(map(resolve, op.inputs))) for op in self.operations),
            results={blob: resolve(value) for blob, value in self.results.items()},
            losses=tuple((resolve(value), weight) for value, weight in self.losses),
        )


def plan_steps(steps: Iterable[Step], requested: Iterable[str], learns: bool = True, given: Iterable[str] = ()) -> Plan:
    """Returns the plan of the steps, one operation per layer; an in-place layer writes a new value.

    `given` names blobs that come from outside, besides the tops of Input layers. With `learns` false, no backward
    follows and no operation needs an autograd graph, whatever the net's learning rates are.
    """
    version = dict.fromkeys(given, 0)
    operations: list[Operation] = []
    losses: list[tuple[str, float]] = []
    feeds = {f"{blob}#0": blob for blob in version}
    carry_gradients: set[str] = set()

    def current(blob: str) -> str:
        return f"{blob}#{version[blob]}"

    for step in steps:
        inputs = tuple(current(bottom) for bottom in step.bottoms)
        for top in step.tops:
            version[top] = version.get(top, 0) + 1
        outputs = tuple(current(top) for top in step.tops)
        losses += [(value, weight) for value, weight in zip(outputs, step.loss_weights, strict=True) if weight]
        if step.layer.is_input:
            feeds |= dict(zip(outputs, step.tops, strict=True))
        else:
            step_learns = learns and step.needs_backward
            run = _run(step, [value in carry_gradients for value in inputs])
            operations.append(Operation((step.layer,), run, inputs, outputs, step_learns))
            carry_gradients.update(outputs if step_learns else ())
    return Plan(tuple(operations), {blob: current(blob) for blob in requested}, tuple(losses), feeds)


def _run(step: Step, carry_gradients: list[bool]) -> Callable[..., Tops]:
    """Returns the layer, or a function that also stops gradients to bottoms for which propagate_down is false."""
    layer = step.layer
    if not step.needs_backward:
        return layer
    stops = [carries and not wanted for carries, wanted in zip(carry_gradients, step.propagate_down, strict=True)]
    if not any(stops):
        return layer

    def run(*bottoms: Tensor) -> Tops:
        kept = (bottom.detach() if stop else bottom for bottom, stop in zip(bottoms, stops, strict=True))
        tops: Tops = layer(*kept)
        return tops

    return run


Values = dict[str, Tensor]

#: Returns the context in which operations run, by whether they learn and whether they are losses: precision, and
#: whether autograd records.
Around = Callable[[bool, bool], AbstractContextManager[object]]


def run_plan(plan: Plan, values: Values, around: Around) -> None:
    """Runs the operations in order, updates `values`, and removes values that no later operation needs.

    Neighbours of one kind share a context, which takes a few microseconds to enter.
    """
    numbered = enumerate(plan.operations)
    for kind, operations in groupby(numbered, lambda item: (item[1].learns, item[1].layer.is_loss)):
        with around(*kind):
            for index, operation in operations:
                _execute(operation, values)
                for value in plan.last_uses.get(index, ()):
                    values.pop(value, None)


def _execute(operation: Operation, values: Values) -> None:
    bottoms = [values[value] for value in operation.inputs]
    if operation.layer.is_loss:
        bottoms = [bottom.float() if bottom.dtype in HALF else bottom for bottom in bottoms]
    try:
        results = as_tuple(operation.run(*bottoms))
    except RuntimeError as error:
        refuse_lack_of_memory(error, operation.layer.spec.parameter)
        raise
    values.update(zip(operation.outputs, results, strict=True))


Rewrite = Callable[[Plan], Plan]


def only_with(*types: str, learning: bool = True) -> Callable[[Rewrite], Rewrite]:
    """Decorator of a pass that is not called for a plan without layers of these types.

    With `learning` false, layers that learn do not count.
    """

    def decorate(rewrite: Rewrite) -> Rewrite:
        @wraps(rewrite)
        def rewrite_if_needed(plan: Plan) -> Plan:
            return rewrite(plan) if plan.has(types, learning) else plan

        return rewrite_if_needed

    return decorate


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


def innermost_channels(value: Tensor) -> Tensor:
    """Returns a tensor (N, C, H, W) in channels-last memory; returns tensors of other dimensions unchanged."""
    return value.contiguous(memory_format=torch.channels_last) if value.dim() == 4 else value
