"""Split copies nothing when a graph may read a value twice: autograd sums the gradients itself."""

from dataclasses import replace

from caffe_compat.engine.plan import Plan


def drop_splits(plan: Plan) -> Plan:
    """Readers of a Split's tops read its bottom."""
    names = {out: op.inputs[0] for op in plan.operations if op.is_a("Split") for out in op.outputs}
    rest = tuple(op for op in plan.operations if not op.is_a("Split"))
    return replace(plan, operations=rest).rename(names)
