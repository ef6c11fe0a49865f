"""Layers that no requested top needs do not run."""

from dataclasses import replace

from caffe_compat.engine.plan import Operation, Plan


def drop_unneeded(plan: Plan) -> Plan:
    """Keeps what leads to a result, and what acts on the world outside: data sources, HDF5Output, Python."""
    needed = plan.kept
    kept: list[Operation] = []
    for operation in reversed(plan.operations):
        if needed.intersection(operation.outputs) or _acts(operation):
            kept.append(operation)
            needed.update(operation.inputs)
    return replace(plan, operations=tuple(reversed(kept)))


def _acts(operation: Operation) -> bool:
    # A data layer must advance even if a run needs none of its tops, so that sources stay in step.
    return not operation.inputs or operation.is_a("HDF5Output", "Python")
