"""Snapshots: a .caffemodel and a .solverstate, in both formats and both ways (Solver::Snapshot, Solver::Restore)."""

import logging
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from caffe_compat.errors import SolverError
from caffe_compat.net.net import Net
from caffe_compat.net.weights import blobs_of
from caffe_compat.proto import caffe_pb2
from caffe_compat.proto.blobs import Blob
from caffe_compat.proto.hdf5 import reason_in_words
from caffe_compat.proto.read import SolverState, read_solver_state
from caffe_compat.proto.write import write_solver_state, write_weights
from caffe_compat.solvers.guards import describe_bad_weight
from caffe_compat.solvers.learning_rate import Schedule
from caffe_compat.solvers.prefix import numbered_snapshots
from caffe_compat.solvers.sidecar import sidecar_path, write_sidecar

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
    except ValueError as error:  # a zero byte in the prefix
        raise SolverError(f"snapshot_prefix: no file has such a name ({error}); set another one") from error
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


#: What a file system, or HDF5 above it, raises where something cannot be written.
_DISK = (OSError, RuntimeError)
#: How long, and in which steps (seconds), a last snapshot waits for a disk that takes it.
WAIT_SECONDS, RETRY_SECONDS = 1800.0, 10.0


class SnapshotError(SolverError):
    """The disk refuses a snapshot."""


@dataclass(frozen=True)
class Moment:
    """What a snapshot holds beside the weights: where training stands, in all processes."""

    schedule: Schedule
    histories: list[Blob]
    processes: list[dict[str, Any]]


class SnapshotWriter:
    """Writes the snapshots of one net. `last` is the weights file of the last good one, "" before the first."""

    def __init__(self, net: Net, solver: caffe_pb2.SolverParameter, on_nan: str, keep: int) -> None:
        if keep < 0:
            raise SolverError(f"--keep {keep}: expected a number of snapshots, or 0 for all")
        self._net = net
        self._solver = solver
        self._writes_nan = on_nan == "ignore"
        self._keep = keep
        self.last = ""

    def write(self, moment: Moment) -> None:
        """Writes weights, sidecar, and last the state that names the weights; then removes old ones for --keep.

        SolverError where the disk refuses, or where weights are NaN or infinite; older snapshots stay whole.
        """
        iteration = moment.schedule.iteration
        files = SnapshotFiles.of(self._solver, iteration)
        bad = describe_bad_weight(self._net)
        if bad is None:
            self._write(files, moment)
            self.last = files.weights
            if self._keep:
                remove_old(self._solver.snapshot_prefix, iteration, self._keep)
        elif not self._writes_nan:
            raise SolverError(f"{files.weights}: not written, for it would hold NaN or infinite weights ({bad}); "
                              f"{self.last_in_words()}")  # fmt: skip
        elif Path(files.weights).exists():
            logger.error("%s: not written over an older snapshot, for it would hold NaN or infinite weights (%s)",
                         files.weights, bad)  # fmt: skip
        else:
            logger.warning("%s will hold NaN or infinite weights (%s)", files.weights, bad)
            self._write(files, moment)

    def write_last(self, moment: Moment, is_interrupted: Callable[[], bool]) -> str:
        """The same at the end of a training, whose weights would be lost; returns the folder of a fallback, or "".

        Where the prefix cannot be written, the snapshot goes to a new folder for temporary files. Where that cannot
        either, both are tried again until one works, the user interrupts, or half an hour is over.
        """
        end = time.monotonic() + WAIT_SECONDS
        while True:
            try:
                self.write(moment)
                return ""
            except SnapshotError as error:
                logger.error("%s", error)
                failure = error
            fallback = self._write_fallback(moment)
            if fallback:
                return fallback
            if time.monotonic() > end or is_interrupted():
                raise failure
            logger.error("Trying again in %g s: make room, or interrupt to end without this snapshot", RETRY_SECONDS)
            time.sleep(RETRY_SECONDS)

    def last_in_words(self) -> str:
        """The last good snapshot, as an error tells it."""
        return f"the last good snapshot is {self.last}" if self.last else "this run has written no snapshot yet"

    def _write(self, files: SnapshotFiles, moment: Moment) -> None:
        schedule = moment.schedule
        state = SolverState(schedule.iteration, files.weights, schedule.current_step, moment.histories)
        new = [Path(file) for file in (files.weights, files.sidecar) if not os.path.lexists(file)]
        try:
            logger.info("Snapshotting to %s file %s", files.format, files.weights)
            write_net(self._net, files.weights, self._solver.snapshot_diff)
            write_sidecar(files.state, files.weights, state, self._solver, schedule, moment.processes)
            logger.info("Snapshotting solver state to %s file %s", files.format, files.state)
            write_solver_state(files.state, state)
        except _DISK as error:
            for file in new:  # half a snapshot helps nobody, and takes the room of the next
                with suppress(OSError):
                    file.unlink(missing_ok=True)
            raise SnapshotError(f"{files.weights}: cannot write this snapshot: {reason_in_words(error)}; "
                                f"{self.last_in_words()}") from error  # fmt: skip

    def _write_fallback(self, moment: Moment) -> str:
        """The new folder that took the snapshot, or "" where none did."""
        try:
            folder = tempfile.mkdtemp(prefix="caffe_compat_snapshot_")  # for this user only
        except OSError as error:
            logger.error("No folder for temporary files takes the snapshot: %s", error.strerror)
            return ""
        elsewhere = caffe_pb2.SolverParameter()
        elsewhere.CopyFrom(self._solver)
        elsewhere.snapshot_prefix = str(Path(folder) / Path(self._solver.snapshot_prefix).name)
        try:
            self._write(SnapshotFiles.of(elsewhere, moment.schedule.iteration), moment)
        except SnapshotError as error:
            logger.error("%s", error)
            shutil.rmtree(folder, ignore_errors=True)
            return ""
        return folder


def remove_old(prefix: str, iteration: int, keep: int) -> None:
    """Removes all but the `keep` newest snapshots up to this iteration; the state first, so that no half is taken."""
    until_now = [snapshot for snapshot in numbered_snapshots(prefix) if snapshot.iteration <= iteration]
    for snapshot in until_now[keep:]:
        for file in (snapshot.state, snapshot.sidecar, snapshot.weights):
            try:
                file.unlink(missing_ok=True)
            except OSError as error:
                logger.warning("%s: cannot be removed (--keep): %s", file, error.strerror)
