"""Layers that no requested top needs do not run."""

from dataclasses import replace

from caffe_compat.engine.plan import Operation, Plan


def drop_unneeded(plan: Plan) -> Plan:
    """Keeps what leads to a result, and what acts on the world outside: data sources, HDF5Output, Python."""
    acting = [index for index, operation in enumerate(plan.operations) if _acts(operation)]
    kept = plan.wiring.leading_to(plan.kept, also=acting)
    return replace(plan, operations=tuple(plan.operations[index] for index in kept))


def _acts(operation: Operation) -> bool:
    # A data layer must advance even if a run needs none of its tops, so that sources stay in step.
    return not operation.inputs or operation.is_a("HDF5Output", "Python")
