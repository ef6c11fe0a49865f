"""Packs convolutions that do not learn: stores weights in the kernels' order and includes the sum and ReLU behind.

On a CPU, torch's convolution reorders its weights in every call. A separate sum and ReLU each read and write all
images once more (docs/performance.md has the cost).
"""

from collections.abc import Iterator
from dataclasses import replace
from math import inf, prod

from caffe_compat.engine.packed_convolution import Origins, PackedConvolution, RunWatch, kernels_exist
from caffe_compat.engine.passes.fold_normalization import FoldedConvolution
from caffe_compat.engine.passes.in_place import is_plain_relu, is_plain_sum
from caffe_compat.engine.plan import Chains, Operation, Plan, fuse, only_with, replace_chains
from caffe_compat.layers.vision.conv import Convolution


@only_with("Convolution", learning=False)
def pack_convolutions(plan: Plan) -> Plan:
    """Replaces Convolution, Eltwise SUM, ReLU by one operation; the sum, the ReLU or both may be missing."""
    if not kernels_exist():
        return plan
    packed = replace_chains(plan, [(chain, _as_one(chain)) for chain in _chains(plan)])
    runs = [operation.run for operation in packed.operations if isinstance(operation.run, PackedConvolution)]
    watch = RunWatch(runs)
    origins: dict[str, Origins] = {}
    is_first, are_written = True, False  # weights, since the last packed convolution: a Python layer may write any
    for index, operation in enumerate(packed.operations):
        run = operation.run
        if isinstance(run, PackedConvolution):
            run.sums_in_place = _may_sum_in_place(packed, index)
            run.watch, run.starts_watch, run.looks_again = watch, is_first, are_written
            is_first = are_written = False
            run.origins = [origins.get(value, {}) for value in operation.inputs]
            origins.update({value: {run: 1.0} for value in operation.outputs})
        elif not all(layer.is_pure() for layer in operation.layers):
            are_written = True
            origins.clear()  # the weights that bounded these values may be others now
        else:
            behind = _behind(operation, origins)
            origins.update({value: behind for value in operation.outputs})
    return packed


def _behind(operation: Operation, origins: dict[str, Origins]) -> Origins:
    """Returns the origins of an operation's outputs; none where an input's are unknown, or the layers' growth."""
    # At least 1: what makes values smaller may first have made them larger, and a mask holds places.
    growth = prod(1.0 if layer.hands_on else max(layer.growth, 1.0) for layer in operation.layers)
    if not growth < inf or not all(origins.get(value) for value in operation.inputs):
        return {}
    together: Origins = {}
    for value in operation.inputs:
        for run, factor in origins[value].items():
            together[run] = max(together.get(run, 0.0), factor * growth)
    return together


def _chains(plan: Plan) -> Iterator[list[Operation]]:
    chains = Chains(plan)
    taken: set[int] = set()  # sums already fused: a sum of two convolutions can join only one of them
    for convolution in filter(_can_be_packed, plan.operations):
        chain = [convolution]
        addition = chains.next_after(convolution, "Eltwise", inputs=2)
        # The kernels have no gradient, so a sum that learns by its other term stays apart, and the ReLU behind it too.
        if addition is not None and is_plain_sum(addition) and not addition.learns and id(addition) not in taken:
            taken.add(id(addition))
            chain.append(addition)
        rectifier = chains.next_after(chain[-1], "ReLU")
        if rectifier is not None and is_plain_relu(rectifier) and not rectifier.learns:
            chain.append(rectifier)
        yield chain


def _can_be_packed(operation: Operation) -> bool:
    layer = operation.layers[0]
    if operation.learns or not isinstance(layer, Convolution) or layer.channel_axis != 1 or layer.window.axes != 2:
        return False
    return isinstance(operation.run, FoldedConvolution) or (
        operation.is_a("Convolution") and len(operation.inputs) == 1
    )


def _as_one(chain: list[Operation]) -> Operation:
    made = {value for operation in chain for value in operation.outputs}
    inputs = tuple(value for operation in chain for value in operation.inputs if value not in made)
    return replace(fuse(chain, PackedConvolution(chain)), inputs=inputs)


def _may_sum_in_place(plan: Plan, index: int) -> bool:
    """Whether the sum may overwrite its other term.

    This needs two conditions: this operation reads the term last, and only packed convolutions make or read the term.
    """
    operation = plan.operations[index]
    if len(operation.inputs) < 2 or operation.inputs[1] in plan.kept or operation.inputs[1] == operation.inputs[0]:
        return False
    term = plan.wiring.sources[index][1]
    if term is None or plan.wiring.uses[term][-1] != index:
        return False
    others = (term[0], *plan.wiring.uses[term])
    return all(isinstance(plan.operations[other].run, PackedConvolution) for other in others)
