"""Removes Split layers: a plan may read a value several times, and autograd sums the gradients."""

from dataclasses import replace

from caffe_compat.engine.plan import Plan, only_with


@only_with("Split")
def drop_splits(plan: Plan) -> Plan:
    """Returns the plan without Splits; operations that read a Split's tops read the Split's bottom."""
    names = {out: op.inputs[0] for op in plan.operations if op.is_a("Split") for out in op.outputs}
    rest = tuple(op for op in plan.operations if not op.is_a("Split"))
    return replace(plan, operations=rest).rename(names)
