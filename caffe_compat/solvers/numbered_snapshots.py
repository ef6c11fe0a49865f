"""The snapshots of a prefix that are on the disk, newest first, and the newest that is whole."""

import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from caffe_compat.errors import CaffeError, SolverError
from caffe_compat.proto.read import read_solver_state, read_weights
from caffe_compat.solvers.sidecar import read_sidecar, sidecar_path
from caffe_compat.solvers.snapshot import find_learned_net

logger = logging.getLogger("caffe_compat")


@dataclass(frozen=True)
class NumberedSnapshot:
    """The files of PREFIX_iter_N, of which some may be missing."""

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
    """All that have a state, by iteration, the newest first."""
    place = Path(f"{prefix}_iter_")
    name = re.compile(rf"{re.escape(place.name)}(\d{{1,10}})\.solverstate(\.h5)?")
    found = [
        NumberedSnapshot(int(match[1]), path)
        for path in place.parent.glob("*.solverstate*")
        if (match := name.fullmatch(path.name)) and path.is_file()
    ]
    return sorted(found, key=lambda snapshot: (snapshot.iteration, snapshot.state.name), reverse=True)


def newest_whole_snapshot(prefix: str) -> str | None:
    """The state of the newest snapshot whose files are whole and belong together; None where there is no snapshot.

    Newer ones that are damaged, half-written or mixed are passed over, each with a warning that says why. SolverError
    where there are snapshots, but none is whole: a training that started anew would replace them.
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


def _require_whole(state_file: str) -> None:
    """Reads all files of a snapshot; an error says what is wrong with them."""
    state = read_solver_state(state_file)
    weights = find_learned_net(state, state_file)
    bad = describe_bad_file(weights)
    if bad is not None:
        raise SolverError(f"{weights}: {bad}")
    read_sidecar(state_file, weights, state)


def _bad_blobs(weights: str) -> Iterator[str]:
    """What a weights file holds that is no number, blob by blob."""
    for layer in read_weights(weights).layers:
        for index, blob in enumerate(layer.blobs):
            bad = blob.size - int(np.isfinite(blob).sum())
            if bad:
                yield f"weight blob {index} of layer '{layer.name}' holds {bad} NaN or infinite of {blob.size} values"


def describe_bad_file(weights: str) -> str | None:
    """The first blob of a weights file that holds NaN or infinite values, in words; None where all are numbers."""
    return next(_bad_blobs(weights), None)
