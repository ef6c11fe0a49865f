"""Snapshots: a .caffemodel and a .solverstate, in both formats and both ways (Solver::Snapshot, Solver::Restore)."""

import logging
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from caffe_compat.errors import SolverError
from caffe_compat.net.net import Net
from caffe_compat.net.weights import blobs_of
from caffe_compat.proto import caffe_pb2
from caffe_compat.proto.read import SolverState, read_solver_state
from caffe_compat.proto.write import write_weights
from caffe_compat.solvers.sidecar import sidecar_path

logger = logging.getLogger("caffe_compat")


@dataclass(frozen=True)
class SnapshotFormat:
    """The names of a format's files and its name in the log."""

    suffix: str
    name: str


FORMATS = {
    caffe_pb2.SolverParameter.BINARYPROTO: SnapshotFormat("", "binary proto"),
    caffe_pb2.SolverParameter.HDF5: SnapshotFormat(".h5", "HDF5"),
}


@dataclass(frozen=True)
class SnapshotFiles:
    """The files of one snapshot: weights, state, and the sidecar of the state."""

    weights: str
    state: str
    format: str

    @classmethod
    def of(cls, solver: caffe_pb2.SolverParameter, iteration: int) -> "SnapshotFiles":
        """PREFIX_iter_N.caffemodel and PREFIX_iter_N.solverstate, with .h5 for HDF5."""
        stem = f"{solver.snapshot_prefix}_iter_{iteration}"
        kind = FORMATS[solver.snapshot_format]
        return cls(f"{stem}.caffemodel{kind.suffix}", f"{stem}.solverstate{kind.suffix}", kind.name)

    @property
    def sidecar(self) -> str:
        """PREFIX_iter_N.resume.json."""
        return str(sidecar_path(self.state))


def check_snapshot_prefix(solver: caffe_pb2.SolverParameter) -> None:
    """Refuses, before training starts, a solver whose snapshots could not be written."""
    if solver.snapshot and not solver.HasField("snapshot_prefix"):
        raise SolverError("In solver params, snapshot is specified but snapshot_prefix is not")
    place = Path(f"{solver.snapshot_prefix}_iter_0")
    try:
        # A name of its own: several processes may start at once.
        descriptor, probe = tempfile.mkstemp(".tempfile", place.name, place.parent)
        os.close(descriptor)
        os.unlink(probe)
    except OSError as error:
        raise SolverError(
            f"Cannot write to snapshot prefix '{solver.snapshot_prefix}'.  "
            f"Make sure that the directory exists and is writable. ({error.strerror}: '{place.parent}')"
        ) from error


def write_net(net: Net, path: str, with_gradients: bool) -> None:
    """Writes a net's weights, and for snapshot_diff what the last update subtracted from them."""
    net.flush()
    layers = [step.layer for step in net.steps]
    gradients = None
    if with_gradients:
        gradients = {
            layer.name: [net.gradients.of(blob).detach().cpu().numpy() for blob in layer.blobs]
            for layer in layers
            if layer.blobs
        }
    write_weights(path, net.parameter, blobs_of(layers), gradients=gradients)


def read_state(file: str, histories: int) -> SolverState:
    """A .solverstate of any Caffe; a .caffemodel in its place is refused in Caffe's words and with the cure."""
    if file.endswith((".caffemodel", ".caffemodel.h5")):
        raise SolverError(
            f"{file}: Incorrect length of history blobs. (0 vs. {histories}): expected a .solverstate, found weights; "
            "give the .solverstate beside it to resume, or give this file as --weights to start from its weights"
        )
    return read_solver_state(file)


def find_learned_net(state: SolverState, file: str) -> str:
    """The weights that a state names, "" if it names none; where they have moved, those beside the state."""
    if not state.learned_net:
        return ""
    beside = Path(file).with_name(Path(state.learned_net).name)
    if Path(state.learned_net).exists() or not beside.exists():
        return state.learned_net
    logger.info("%s: learned_net %s is not there; taking %s", file, state.learned_net, beside)
    return str(beside)
