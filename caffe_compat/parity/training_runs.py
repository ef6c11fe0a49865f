"""Trains some iterations with our own solver and records the training."""

import numpy as np

from caffe_compat.net.net import Net
from caffe_compat.parity.recording import Array, Recording
from caffe_compat.parity.replay import array_of
from caffe_compat.proto import caffe_pb2
from caffe_compat.solvers.solver import Solver
from caffe_compat.solvers.solver_nets import copy_weights

#: Fields of a solver that would cause tests or files.
SILENCED = (
    "display", "snapshot", "test_iter", "test_interval", "test_net", "test_net_param", "test_state",
)  # fmt: skip


def training_solver(
    parameter: caffe_pb2.SolverParameter, weights: str | None, other: Recording | None, engine: str = "exact"
) -> Solver:
    """Returns a solver that only trains; it starts from a weights file or from the other side's first weights."""
    quiet = caffe_pb2.SolverParameter()
    quiet.CopyFrom(parameter)
    for field in SILENCED:
        quiet.ClearField(field)
    quiet.snapshot_after_train = False
    solver = Solver(quiet, engine, on_nan="ignore")
    if weights is not None:
        copy_weights(solver.net, weights)
    elif other is not None:
        take_weights(solver.net, other)
    return solver


def take_weights(net: Net, other: Recording) -> None:
    """Copies the weights that the other side recorded before its run into our net."""
    for step in net.steps:
        for number, blob in enumerate(step.layer.blobs):
            values = other.weights.get(f"{step.layer.name}/{number}")
            if values is not None:
                blob.data.copy_(blob.data.new_tensor(values).view(blob.shape))


def record_training(solver: Solver, iterations: int, source: str) -> Recording:
    """Trains and returns a recording: outputs of each iteration, weights before and after, and the solver's blobs."""
    recording = Recording(source, weights=_weights(solver.net))
    losses: dict[str, list[float]] = {name: [] for name in solver.net.outputs}
    for _ in range(iterations):
        solver.step(1)
        for name, values in losses.items():
            values.append(float(array_of(solver.net.blobs[name].value.tensor()).mean()))
    recording.losses = {name: np.array(values) for name, values in losses.items()}
    recording.final_weights = _weights(solver.net)
    recording.histories = {str(number): blob.copy() for number, blob in enumerate(solver.updater.histories)}
    return recording


def _weights(net: Net) -> dict[str, Array]:
    return {
        f"{step.layer.name}/{number}": array_of(blob).copy()
        for step in net.steps
        for number, blob in enumerate(step.layer.blobs)
    }
