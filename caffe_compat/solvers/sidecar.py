"""What a .solverstate does not hold, in a file beside it: the place in the data, random states, the solver's fields.

PREFIX_iter_N.resume.json is read by this program only. With it, a run that was cut off ends with the bytes of one that
was not. The file holds checksums of the weights and of the state that it was written with: they are the mark by which
the three files of a snapshot belong together.
"""

import base64
import hashlib
import json
import logging
import random
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from google.protobuf import text_format

from caffe_compat.errors import SolverError
from caffe_compat.net.net import Net
from caffe_compat.proto import caffe_pb2
from caffe_compat.proto.file_bytes import open_file, write_bytes
from caffe_compat.proto.read import SolverState
from caffe_compat.proto.text import format_text
from caffe_compat.solvers.learning_rate import Schedule
from caffe_compat.solvers.sidecar_schema import check_layer_state, read_sidecar_file, sidecar_error

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
#: What layers and random generators raise for values that they cannot take.
_UNFIT = (LookupError, TypeError, ValueError, RuntimeError, OverflowError)


@dataclass(frozen=True)
class Sidecar:
    """The content of the file. `processes` has one entry per process: random states, and states of its nets' layers."""

    weights_sha256: str
    solver: str
    schedule: dict[str, Any]
    processes: list[dict[str, Any]]
    state_sha256: str = ""  # empty in files of earlier versions


def sidecar_path(state: str) -> Path:
    """The sidecar of a .solverstate or .solverstate.h5."""
    path = Path(state.removesuffix(".h5"))
    return path.with_name(path.name.removesuffix(".solverstate") + ".resume.json")


def process_state(nets: Sequence[Net]) -> dict[str, Any]:
    """This process's part; `nets` are the train net and then the test nets."""
    return {"random": capture_generators(nets[0].device), "layers": [_layer_states(net) for net in nets]}


def restore_process(nets: Sequence[Net], state: dict[str, Any], file: Path) -> None:
    """Gives layers and random generators the states that `process_state` saw; FormatError where one does not fit."""
    for net, states in zip(nets, state["layers"], strict=False):
        for step in net.steps:
            if step.layer.name not in states:
                continue
            given = states[step.layer.name]
            check_layer_state(file, step.layer.name, given, step.layer.state())
            try:
                step.layer.restore(given)
            except _UNFIT as error:
                raise sidecar_error(file, f"the state of layer '{step.layer.name}': {_first_line(error)}") from error
    try:
        restore_generators(state["random"], nets[0].device)  # last: layers may draw numbers
    except _UNFIT as error:
        raise sidecar_error(file, f"random states: {_first_line(error)}") from error


def restore_from_sidecar(
    sidecar: Sidecar, file: Path, solver: caffe_pb2.SolverParameter, nets: Sequence[Net], rank: int, workers: int
) -> Schedule:
    """Gives the nets and random generators of process `rank` of `workers` their states back; returns the schedule.

    Random states and the place in the data start anew where the snapshot is of another number of processes.
    """
    log_changes(sidecar, solver, file)
    if len(sidecar.processes) == workers:
        restore_process(nets, sidecar.processes[rank], file)
    else:
        logger.warning("the snapshot is of %d workers, these are %d: the place in the data and random states start "
                       "anew", len(sidecar.processes), workers)  # fmt: skip
    return Schedule(**sidecar.schedule)


def _layer_states(net: Net) -> dict[str, Any]:
    states = {step.layer.name: step.layer.state() for step in net.steps}
    return {name: state for name, state in states.items() if state}


def write_sidecar(
    file: str,
    weights: str,
    state: SolverState,
    solver: caffe_pb2.SolverParameter,
    schedule: Schedule,
    processes: list[dict[str, Any]],
) -> None:
    """Writes the sidecar of a .solverstate that is about to be written to `file`; its weights are written already."""
    sidecar = Sidecar(
        checksum_of_file(weights), format_text(solver), asdict(schedule), processes, checksum_of_state(state)
    )
    write_bytes(sidecar_path(file), [json.dumps(asdict(sidecar)).encode()])


def read_sidecar(file: str, weights: str, state: SolverState) -> Sidecar | None:
    """The sidecar of a .solverstate; None, and a line in the log, where there is none that belongs to it.

    FormatError where the file is damaged. SolverError where one of weights and state is the one that the sidecar was
    written with and the other is not, as after a run that was killed while it replaced a snapshot. Where both are
    others, as after a real Caffe has replaced them, the sidecar is left aside.
    """
    path = sidecar_path(file)
    if not weights or not path.exists():
        logger.info("%s holds neither the place in the data nor random states, and there is no %s beside it: "
                    "both start anew", file, path.name)  # fmt: skip
        return None
    sidecar = Sidecar(**read_sidecar_file(path))
    is_weights = sidecar.weights_sha256 == checksum_of_file(weights)
    is_state = sidecar.state_sha256 == checksum_of_state(state) if sidecar.state_sha256 else is_weights
    if is_weights != is_state:
        raise _mismatch(path, file if is_weights else weights)
    if not is_weights:
        logger.warning("%s belongs to other weights than %s; the place in the data and random states start anew",
                       path, weights)  # fmt: skip
        return None
    return sidecar


def _mismatch(path: Path, other: str) -> SolverError:
    return SolverError(
        f"{other} is not the file that {path.name} was written with: a run was killed while it replaced this snapshot, "
        f"or the file was changed since; resume from another snapshot (--snapshot=auto), or remove {path} to take the "
        "weights and the state as they are, with the place in the data and random states anew"
    )


def log_changes(sidecar: Sidecar, solver: caffe_pb2.SolverParameter, file: Path) -> None:
    """Logs the hyper-parameters that differ from those of the snapshot; the solver's count."""
    try:
        before = text_format.Parse(sidecar.solver, caffe_pb2.SolverParameter())
    except (text_format.ParseError, RecursionError) as error:
        raise sidecar_error(file, f"solver: {_first_line(error)}") from error
    for field in TUNED:
        old, new = getattr(before, field), getattr(solver, field)
        if old != new:
            logger.info("%s was %s at the snapshot and is %s from here on", field, _show(old), _show(new))


def _show(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]


def checksum_of_file(file: str) -> str:
    """SHA-256 of the bytes of a weights file, in hexadecimal; FormatError where it is no file."""
    with open_file(file, "weights") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def checksum_of_state(state: SolverState) -> str:
    """SHA-256 of what a .solverstate holds, which is the same for both formats, in hexadecimal."""
    digest = hashlib.sha256(f"{state.iter} {state.current_step} {len(state.history)}".encode())
    for blob in state.history:
        digest.update(f" {blob.size} ".encode())
        digest.update(np.ascontiguousarray(blob, np.float32).data)
    return digest.hexdigest()


def capture_generators(device: torch.device) -> dict[str, Any]:
    """The states of torch's generators (of the CPU and of this GPU), of NumPy's and of Python's."""
    generator, words, place, has_gauss, gauss = np.random.get_state(legacy=True)
    version, internal, gauss_next = random.getstate()
    states: dict[str, Any] = {
        "torch": _encode(torch.get_rng_state()),
        "numpy": [str(generator), [int(word) for word in words], place, has_gauss, gauss],
        "python": [version, list(internal), gauss_next],
    }
    if device.type == "cuda":
        states["cuda"] = _encode(torch.cuda.get_rng_state(device))
    return states


def restore_generators(states: dict[str, Any], device: torch.device) -> None:
    """Sets the generators to states of `capture_generators`; RuntimeError or ValueError where one does not fit."""
    torch.set_rng_state(_decode(states["torch"]))
    generator, words, *rest = states["numpy"]
    np.random.set_state((generator, np.array(words, np.uint32), *rest))
    version, internal, gauss_next = states["python"]
    random.setstate((version, tuple(internal), gauss_next))
    if device.type == "cuda" and "cuda" in states:
        torch.cuda.set_rng_state(_decode(states["cuda"]), device)


def _encode(state: torch.Tensor) -> str:
    return base64.b64encode(state.numpy().tobytes()).decode()


def _decode(text: str) -> torch.Tensor:
    return torch.frombuffer(bytearray(base64.b64decode(text)), dtype=torch.uint8)
