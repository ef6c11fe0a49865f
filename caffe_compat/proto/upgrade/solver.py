"""Upgrades old solvers on load, and completes a snapshot_prefix that names no file, as Caffe does."""

from pathlib import Path

from caffe_compat.errors import SolverError
from caffe_compat.proto import caffe_pb2
from caffe_compat.proto.upgrade.net import deprecated

SOLVER_TYPES = {
    "SGD": "SGD",
    "NESTEROV": "Nesterov",
    "ADAGRAD": "AdaGrad",
    "RMSPROP": "RMSProp",
    "ADADELTA": "AdaDelta",
    "ADAM": "Adam",
}


def upgrade_solver(solver: caffe_pb2.SolverParameter, path: str | Path = "") -> list[str]:
    """`solver_type` (a number) becomes `type` (a name), in place; the log lines."""
    if not solver.HasField("solver_type"):
        return []
    if solver.HasField("type"):
        raise SolverError(f"{path}: both solver_type and type are set; remove solver_type, which is the older")
    solver.type = SOLVER_TYPES[caffe_pb2.SolverParameter.SolverType.Name(solver.solver_type)]
    solver.ClearField("solver_type")
    field = "'solver_type' field (enum)"
    attempt, success = deprecated(field)
    return [
        f"{attempt}: {path}",
        f"{success} with 'type' field (string).",
        "Note that future Caffe releases will only support 'type' field (string) for a solver's type.",
    ]


def complete_snapshot_prefix(solver: caffe_pb2.SolverParameter, path: str | Path) -> list[str]:
    """A missing snapshot_prefix becomes the solver file's name, a folder gets that name in it; the log lines."""
    path = Path(path)
    if not solver.HasField("snapshot_prefix"):
        solver.snapshot_prefix = str(path.with_suffix(""))
        return [f"snapshot_prefix was not specified and is set to {solver.snapshot_prefix}"]
    if Path(solver.snapshot_prefix).is_dir():
        solver.snapshot_prefix = str(Path(solver.snapshot_prefix) / path.stem)
        return [f"snapshot_prefix was a directory and is replaced to {solver.snapshot_prefix}"]
    return []
