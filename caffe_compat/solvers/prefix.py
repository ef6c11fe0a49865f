"""The files of a snapshot prefix: its lock, unfinished files of killed runs, and numbered snapshots."""

import errno
import fcntl
import logging
import os
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from caffe_compat.errors import CaffeError, SolverError
from caffe_compat.proto.read import SolverState, read_solver_state, read_weights
from caffe_compat.solvers.sidecar import read_sidecar, sidecar_path

logger = logging.getLogger("caffe_compat")

_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)


@contextmanager
def locked_prefix(prefix: str) -> Iterator[None]:
    """Holds PREFIX.lock while the block runs, so that no other training uses the prefix; SolverError if one does.

    The system releases the lock of a killed process. Unfinished files (`.part`) of killed runs are removed first.
    """
    path = Path(f"{prefix}.lock")
    try:
        descriptor = _take(path)
    except BlockingIOError as error:
        raise SolverError(
            f"snapshot_prefix '{prefix}': another training writes there ({_holder(path)}); "
            "wait for its end, stop it, or set another snapshot_prefix"
        ) from error
    except OSError as error:
        raise SolverError(
            f"snapshot_prefix '{prefix}': cannot write '{path}': {error.strerror}; "
            "make the folder, or set another snapshot_prefix"
        ) from error
    try:
        remove_unfinished(prefix)
        yield
    finally:
        path.unlink(missing_ok=True)  # while the lock is held, so that nobody else's file is removed
        os.close(descriptor)


def _take(path: Path) -> int:
    """The descriptor that holds the lock."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK, 0o644)
        try:
            _lock(descriptor, path)
            if _is_still(path, descriptor):
                os.ftruncate(descriptor, 0)
                os.write(descriptor, f"process {os.getpid()} on {socket.gethostname()}".encode())
                return descriptor
        except OSError:
            os.close(descriptor)
            raise
        os.close(descriptor)


def _lock(descriptor: int, path: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
        logger.warning("%s: this file system has no locks; see to it that no other training writes there", path)


def _is_still(path: Path, descriptor: int) -> bool:
    """Whether the file is the one that was opened: its last holder may have removed it meanwhile."""
    try:
        return os.path.samestat(os.stat(path), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _holder(path: Path) -> str:
    try:
        return path.read_text(errors="replace")[:100] or "it has just started"
    except OSError:
        return "it has just ended"


def remove_unfinished(prefix: str) -> None:
    """Removes the `.part` files of snapshots of this prefix, which killed runs leave; the lock must be held."""
    place = Path(f"{prefix}_iter_")
    for left in place.parent.glob("*.part"):
        if left.name.startswith(f".{place.name}"):
            logger.info("Removing %s, which a killed run left unfinished", left)
            left.unlink(missing_ok=True)


@dataclass(frozen=True)
class NumberedSnapshot:
    """The files of PREFIX_iter_N; some of them may be missing."""

    iteration: int
    state: Path

    @property
    def weights(self) -> Path:
        """PREFIX_iter_N.caffemodel, with .h5 where the state has it."""
        stem, _, suffix = self.state.name.rpartition(".solverstate")
        return self.state.with_name(f"{stem}.caffemodel{suffix}")

    @property
    def sidecar(self) -> Path:
        """PREFIX_iter_N.resume.json."""
        return sidecar_path(str(self.state))


def numbered_snapshots(prefix: str) -> list[NumberedSnapshot]:
    """Returns all snapshots with a state file, the newest first, without a look into the files."""
    place = Path(f"{prefix}_iter_")
    name = re.compile(rf"{re.escape(place.name)}(\d{{1,10}})\.solverstate(\.h5)?")
    found = [
        NumberedSnapshot(int(match[1]), path)
        for path in place.parent.glob("*.solverstate*")
        if (match := name.fullmatch(path.name))
    ]
    return sorted(found, key=lambda snapshot: (snapshot.iteration, snapshot.state.name), reverse=True)


def newest_whole_snapshot(prefix: str) -> str | None:
    """The state of the newest snapshot whose files are whole and belong together; None where there is no snapshot.

    Skips newer snapshots that are damaged, half-written or mixed, with a warning that says why. SolverError if there
    are snapshots but none is whole, because a training from the start would replace them.
    """
    snapshots = numbered_snapshots(prefix)
    for snapshot in snapshots:
        try:
            _require_whole(str(snapshot.state))
        except (CaffeError, OSError) as error:
            logger.warning("Passing over %s: %s", snapshot.state, error)
            continue
        return str(snapshot.state)
    if snapshots:
        raise SolverError(
            f"snapshot_prefix '{prefix}': none of {len(snapshots)} snapshots is whole (see the warnings above); "
            "move them away to train from the start, or give one as --snapshot"
        )
    return None


def find_learned_net(state: SolverState, file: str) -> str:
    """Returns the weights that a state names, or, if they have moved, those beside the state; "" if it names none."""
    if not state.learned_net:
        return ""
    beside = Path(file).with_name(Path(state.learned_net).name)
    if Path(state.learned_net).exists() or not beside.exists():
        return state.learned_net
    logger.info("%s: learned_net %s is not there; taking %s", file, state.learned_net, beside)
    return str(beside)


def _require_whole(state_file: str) -> None:
    """Reads all files of a snapshot; an error says what is wrong with them."""
    state = read_solver_state(state_file)
    weights = find_learned_net(state, state_file)
    bad = describe_bad_file(weights)
    if bad is not None:
        raise SolverError(f"{weights}: {bad}")
    read_sidecar(state_file, weights, state)


def _bad_blobs(weights: str) -> Iterator[str]:
    """Yields the blobs of a weights file that hold NaN or infinite values, in words."""
    for layer in read_weights(weights).layers:
        for index, blob in enumerate(layer.blobs):
            bad = blob.size - int(np.isfinite(blob).sum())
            if bad:
                yield f"weight blob {index} of layer '{layer.name}' holds {bad} NaN or infinite of {blob.size} values"


def describe_bad_file(weights: str) -> str | None:
    """The first blob of a weights file that holds NaN or infinite values, in words; None where all are numbers."""
    return next(_bad_blobs(weights), None)
