"""Settings of the whole process (class caffe::Caffe): seed, solver rank and count, log, Python layers."""

import logging
from dataclasses import dataclass

import torch

from caffe_compat.errors import SolverError
from caffe_compat.layers.registry import layer_types
from caffe_compat.logs.glog import log_to_stderr
from caffe_compat.net.build import Surroundings
from caffe_compat.proto import caffe_pb2

_LOGGER = logging.getLogger("caffe_compat")
_LEVELS = (logging.INFO, logging.WARNING, logging.ERROR, logging.CRITICAL)


@dataclass
class _Process:
    random_seed: int | None = None
    solver_count: int = 1
    solver_rank: int = 0
    multiprocess: bool = False
    python_layers: bool = False
    phase: int = caffe_pb2.TEST  # of nets that scripts of 2014 build without one


_PROCESS = _Process()


def surroundings(python_layers: bool | None = None) -> Surroundings:
    """Returns the settings for new nets and solvers; `python_layers` None means the value of `allow_python_layers`."""
    return Surroundings(
        random_seed=_PROCESS.random_seed,
        rank=_PROCESS.solver_rank,
        world_size=_PROCESS.solver_count,
        allow_python_layers=_PROCESS.python_layers if python_layers is None else python_layers,
    )


def allow_python_layers(allowed: bool = True) -> None:
    """Allows or forbids Python layers, which import the module that a net file names."""
    _PROCESS.python_layers = allowed


def set_phase_train() -> None:
    """Of 2014: nets built from now on by Net(file, weights), without a phase, are for TRAIN."""
    _PROCESS.phase = caffe_pb2.TRAIN


def set_phase_test() -> None:
    """Of 2014: nets built from now on by Net(file, weights), without a phase, are for TEST."""
    _PROCESS.phase = caffe_pb2.TEST


def default_phase() -> int:
    """The phase of a net that is built without one."""
    return _PROCESS.phase


def layer_type_list() -> list[str]:
    """Every layer type that a prototxt may name, sorted."""
    return layer_types()


def set_random_seed(seed: int) -> None:
    """Fixes fillers, dropout and the order of shuffled data of nets built from now on."""
    torch.manual_seed(seed)
    _PROCESS.random_seed = seed


def solver_count() -> int:
    """Returns the number of processes that train together."""
    return _PROCESS.solver_count


def set_solver_count(count: int) -> None:
    """Sets the number of processes that train together; data layers then distribute records among them."""
    if count < 1:
        raise SolverError(f"expected at least 1 solver, got {count}")
    _PROCESS.solver_count = count


def solver_rank() -> int:
    """Returns the number of this process, from 0."""
    return _PROCESS.solver_rank


def set_solver_rank(rank: int) -> None:
    """Sets the number of this process, from 0; `set_solver_count` must be called first."""
    if not 0 <= rank < _PROCESS.solver_count:
        raise SolverError(
            f"expected a rank from 0 to {_PROCESS.solver_count - 1}, got {rank}; call set_solver_count first"
        )
    _PROCESS.solver_rank = rank


def set_multiprocess(multiprocess: bool) -> None:
    """Kept for scripts: one process drives one solver here, so both values mean the same."""
    _PROCESS.multiprocess = multiprocess


def init_log(level: int = 0) -> None:
    """Shows log lines on stderr as Caffe writes them, from a level on: 0 info, 1 warnings, 2 errors, 3 fatal errors."""
    log_to_stderr(_LEVELS[level])


def log(message: str) -> None:
    """Writes the message to the log as information."""
    _LOGGER.info("%s", message)
