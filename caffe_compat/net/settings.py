"""Settings of the whole process (class caffe::Caffe): mode, device, seed, solver rank and count, log, Python layers.

`Surroundings` holds what of them a new net takes, and `exact_arithmetic` how its layers calculate.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch

from caffe_compat.errors import MissingFeatureError, SolverError
from caffe_compat.layers.base import careful_sums
from caffe_compat.layers.registry import layer_types
from caffe_compat.logs.glog import log_to_stderr
from caffe_compat.net.weights import Arrays
from caffe_compat.proto import caffe_pb2

_LOGGER = logging.getLogger("caffe_compat")
_LEVELS = (logging.INFO, logging.WARNING, logging.ERROR, logging.CRITICAL)


@dataclass
class _Process:
    gpu: bool = False
    device: int = 0
    random_seed: int | None = None
    solver_count: int = 1
    solver_rank: int = 0
    multiprocess: bool = False
    python_layers: bool = False
    phase: int = caffe_pb2.TEST  # of nets that scripts of 2014 build without one


_PROCESS = _Process()


@dataclass(frozen=True)
class Surroundings:
    """Settings of a net that its prototxt does not contain."""

    device: torch.device | None = None  # None: the device of Caffe's global mode
    random_seed: int | None = None
    rank: int = 0
    world_size: int = 1
    allow_python_layers: bool = False
    weights: Arrays = field(default_factory=dict)  # by layer name: blobs used instead of running fillers


DEFAULT_SURROUNDINGS = Surroundings()


def surroundings(python_layers: bool | None = None) -> Surroundings:
    """Returns the settings for new nets and solvers; `python_layers` None means the value of `allow_python_layers`."""
    return Surroundings(
        random_seed=_PROCESS.random_seed,
        rank=_PROCESS.solver_rank,
        world_size=_PROCESS.solver_count,
        allow_python_layers=_PROCESS.python_layers if python_layers is None else python_layers,
    )


# -- device and arithmetic


def set_mode_cpu() -> None:
    """Nets built from now on run on the CPU."""
    _PROCESS.gpu = False


def set_mode_gpu() -> None:
    """Nets built from now on run on the GPU chosen by `set_device`."""
    require_cuda()
    _PROCESS.gpu = True


def set_device(index: int) -> None:
    """Chooses the GPU by index for GPU mode, which `set_mode_gpu` turns on; MissingFeatureError for no such GPU."""
    if torch.cuda.is_available() and not 0 <= index < torch.cuda.device_count():
        raise MissingFeatureError(f"expected a GPU below {torch.cuda.device_count()}, got {index}")
    _PROCESS.device = index


def current_device() -> torch.device:
    """Returns the device on which nets are built now: the CPU, or the chosen GPU in GPU mode."""
    return torch.device("cuda", _PROCESS.device) if _PROCESS.gpu else torch.device("cpu")


def require_cuda() -> None:
    """Raises MissingFeatureError if torch finds no CUDA device."""
    if not torch.cuda.is_available():
        raise MissingFeatureError(
            "cannot use GPU mode: torch finds no CUDA device here; use solver_mode: CPU or drop --gpu"
        )


@contextmanager
def exact_arithmetic(device: torch.device) -> Iterator[None]:
    """Applies Caffe's float32 arithmetic to layers that run in the `with` block, then restores the settings."""
    with careful_sums():
        if device.type != "cuda":
            yield
            return
        cudnn, matmul = torch.backends.cudnn, torch.backends.cuda.matmul
        before = matmul.allow_tf32
        matmul.allow_tf32 = False
        try:
            with cudnn.flags(cudnn.enabled, cudnn.benchmark, deterministic=cudnn.deterministic, allow_tf32=False):
                yield
        finally:
            matmul.allow_tf32 = before


# -- what pycaffe sets


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
