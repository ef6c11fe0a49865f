"""Removes layers that no requested blob depends on."""

from dataclasses import replace

from caffe_compat.engine.plan import Operation, Plan


def drop_unneeded(plan: Plan) -> Plan:
    """Keeps operations that lead to a result, and those with outside effects: data sources, HDF5Output, Python."""
    acting = [index for index, operation in enumerate(plan.operations) if acts(operation)]
    kept = plan.wiring.leading_to(plan.kept, also=acting)
    return replace(plan, operations=tuple(plan.operations[index] for index in kept))


def acts(operation: Operation) -> bool:
    """Whether an operation has effects besides its outputs."""
    # A data layer must advance even if a run needs none of its tops, so that all sources stay at the same item.
    return not operation.inputs or operation.is_a("HDF5Output", "Python")
