"""What a .solverstate does not hold, in a file beside it: the place in the data, random states, the solver's fields.

PREFIX_iter_N.resume.json, which nobody but this program reads. With it a run that was cut off ends as if it had not
been. It names the checksum of the weights it belongs to, so that one of another run is never taken.
"""

import hashlib
import json
import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from google.protobuf import text_format

from caffe_compat.errors import FormatError
from caffe_compat.net.net import Net
from caffe_compat.proto import caffe_pb2
from caffe_compat.proto.text import format_text
from caffe_compat.proto.write import write_bytes
from caffe_compat.solvers import random_states
from caffe_compat.solvers.learning_rate import Schedule

logger = logging.getLogger("caffe_compat")

#: Solver fields that a user may change between two runs, and will want to see in the log.
TUNED = (
    "base_lr",
    "lr_policy",
    "gamma",
    "power",
    "momentum",
    "weight_decay",
    "stepsize",
    "iter_size",
    "clip_gradients",
)


@dataclass(frozen=True)
class Sidecar:
    """One entry a process in `processes`: random states, and the states of the layers of all its nets."""

    weights_sha256: str
    solver: str
    schedule: dict[str, Any]
    processes: list[dict[str, Any]]


def sidecar_path(state: str) -> Path:
    """The sidecar of a .solverstate or .solverstate.h5."""
    path = Path(state.removesuffix(".h5"))
    return path.with_name(path.name.removesuffix(".solverstate") + ".resume.json")


def process_state(nets: Sequence[Net]) -> dict[str, Any]:
    """This process's part: the train net comes first."""
    return {"random": random_states.capture(nets[0].device), "layers": [_layer_states(net) for net in nets]}


def restore_process(nets: Sequence[Net], state: dict[str, Any]) -> None:
    """Puts layers and random states back where `process_state` found them; the random ones last, so that they stay."""
    for net, states in zip(nets, state["layers"], strict=False):
        for step in net.steps:
            if step.layer.name in states:
                step.layer.restore(states[step.layer.name])
    random_states.restore(state["random"], nets[0].device)


def _layer_states(net: Net) -> dict[str, Any]:
    states = {step.layer.name: step.layer.state() for step in net.steps}
    return {name: state for name, state in states.items() if state}


def write_sidecar(
    state: str,
    weights: str,
    solver: caffe_pb2.SolverParameter,
    schedule: Schedule,
    processes: list[dict[str, Any]],
) -> None:
    """Writes the sidecar of a .solverstate that is about to be written."""
    sidecar = Sidecar(_checksum(weights), format_text(solver), asdict(schedule), processes)
    write_bytes(sidecar_path(state), [json.dumps(asdict(sidecar)).encode()])


def read_sidecar(state: str, weights: str) -> Sidecar | None:
    """The sidecar of a .solverstate; None, and a line in the log, where there is none that belongs to these weights."""
    path = sidecar_path(state)
    if not weights or not path.exists():
        logger.info("%s holds neither the place in the data nor random states, and there is no %s beside it: "
                    "both start anew", state, path.name)  # fmt: skip
        return None
    sidecar = _parse(path)
    if sidecar.weights_sha256 != _checksum(weights):
        logger.warning("%s belongs to other weights than %s; the place in the data and random states start anew",
                       path, weights)  # fmt: skip
        return None
    return sidecar


def _parse(path: Path) -> Sidecar:
    try:
        return Sidecar(**json.loads(path.read_text()))
    except (ValueError, TypeError) as error:
        raise FormatError(
            f"{path}: expected what this program writes beside a .solverstate, found something else ({error}); "
            "remove it to resume with the place in the data and random states anew"
        ) from error


def log_changes(sidecar: Sidecar, solver: caffe_pb2.SolverParameter) -> None:
    """Says which hyper-parameters are no longer those of the snapshot; the solver's count."""
    before = text_format.Parse(sidecar.solver, caffe_pb2.SolverParameter())
    for field in TUNED:
        old, new = getattr(before, field), getattr(solver, field)
        if old != new:
            logger.info("%s was %s at the snapshot and is %s from here on", field, _show(old), _show(new))


def _show(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _checksum(file: str) -> str:
    with open(file, "rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()
