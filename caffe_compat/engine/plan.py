"""Plan: a net as a list of operations for passes to rewrite; each value is written once.

Chains finds operations that a pass may fuse, of which each is the only reader of the one before.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, wraps
from itertools import groupby

from torch import Tensor

from caffe_compat.graph.wiring import Step, Wiring
from caffe_compat.layers.base import Layer, Tops


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
class Stretch:
    """Neighbours of one kind, each with the values that can be freed after it.

    `learns` as in Operation; `is_loss` if they are losses.
    """

    learns: bool
    is_loss: bool
    operations: tuple[tuple[Operation, Sequence[str]], ...]


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
    def stretches(self) -> list[Stretch]:
        """The operations in order, neighbours of one kind together."""
        gone = self.wiring.last_uses(self.kept)
        numbered = enumerate(self.operations)
        return [
            Stretch(learns, is_loss, tuple((operation, gone.get(index, ())) for index, operation in stretch))
            for (learns, is_loss), stretch in groupby(numbered, lambda item: (item[1].learns, item[1].layer.is_loss))
        ]

    def has(self, types: Iterable[str], learning: bool | None = None) -> bool:
        """Whether a layer of one of these types is in the plan: if `learning` is true or false, one that does so."""
        counted = [operation for operation in self.operations if learning in (None, operation.learns)]
        return any(layer.spec.type in types for operation in counted for layer in operation.layers)

    def may_overwrite(self, index: int, position: int) -> bool:
        """Whether the operation may write its top over this input.

        It must be the input's only reader, the input no result, and the maker's gradient must not need it. Both
        must learn or neither: autograd refuses to overwrite a view that was made without a gradient.
        """
        value = self.operations[index].inputs[position]
        source = self.wiring.sources[index][position]
        if source is None or len(self.wiring.uses[source]) > 1 or value in self.kept:
            return False
        maker = self.operations[source[0]]
        if len(maker.outputs) > 1 or maker.learns != self.operations[index].learns:  # its outputs may share memory
            return False
        return not maker.layer.backward_reads_top

    @cached_property
    def wiring(self) -> Wiring:
        """The connections: which operations make and read each value."""
        return Wiring((operation.inputs, operation.outputs) for operation in self.operations)


def plan_steps(steps: Iterable[Step], requested: Iterable[str], learns: bool = True, given: Iterable[str] = ()) -> Plan:
    """Returns the plan of the steps, one operation per layer; an in-place layer writes a new value.

    A Split needs no operation: its readers read its bottom, and autograd sums the gradients.

    `given` names blobs that come from outside, besides the tops of Input layers. With `learns` false, no backward
    follows and no operation needs an autograd graph, whatever the net's learning rates are.
    """
    versions = dict.fromkeys(given, 0)
    current = {blob: f"{blob}#0" for blob in versions}  # the value that each blob holds
    operations: list[Operation] = []
    losses: list[tuple[str, float]] = []
    feeds = {value: blob for blob, value in current.items()}
    carry_gradients: set[str] = set()
    for step in steps:
        inputs = tuple(current[bottom] for bottom in step.bottoms)
        run = _run(step, [value in carry_gradients for value in inputs])
        is_split = step.layer.spec.type == "Split" and run is step.layer
        for top in step.tops:
            versions[top] = versions.get(top, 0) + 1
            current[top] = inputs[0] if is_split else f"{top}#{versions[top]}"
        outputs = tuple(current[top] for top in step.tops)
        losses += [(value, weight) for value, weight in zip(outputs, step.loss_weights, strict=True) if weight]
        if step.layer.is_input:
            feeds |= dict(zip(outputs, step.tops, strict=True))
        elif not is_split:
            step_learns = learns and step.needs_backward
            operations.append(Operation((step.layer,), run, inputs, outputs, step_learns))
            carry_gradients.update(outputs if step_learns else ())
    return Plan(tuple(operations), {blob: current[blob] for blob in requested}, tuple(losses), feeds)


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


Rewrite = Callable[[Plan], Plan]


def only_with(*types: str, learning: bool | None = None) -> Callable[[Rewrite], Rewrite]:
    """Decorator of a pass that is not called for a plan without layers of these types.

    With `learning` true or false, only layers count that learn, or that do not.
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
        as a result, since fusing would remove the value. None also if a Python layer runs between the two: fusing would
        run the operation behind that layer, which may write any weights.
        """
        own = self._number[id(operation)]
        number = self._plan.wiring.only_reader(own)
        if number is None or self._plan.kept.intersection(operation.outputs):
            return None
        if any(other.layer.spec.type == "Python" for other in self._plan.operations[own + 1 : number]):
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
