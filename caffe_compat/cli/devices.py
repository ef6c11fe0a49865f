"""The GPUs and processes of a command: which it uses, and one process per GPU (parallel.cpp, torchrun, mpirun)."""

import logging
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.synchronize import Event
from types import FrameType

import torch
from torch import distributed
from torch.multiprocessing.spawn import ProcessExitedException, start_processes

from caffe_compat.cli.start import DONE, FAILED
from caffe_compat.net.settings import current_device, require_cuda, set_device, set_mode_cpu, set_mode_gpu
from caffe_compat.solvers.actions import PARENT, STOPPED_EARLY

logger = logging.getLogger("caffe_compat")


def gpus_of(device: str) -> list[int]:
    """Returns the GPU numbers of a --device value: 0 and 1 for `cuda:0,1`, 0 for `cuda`, every GPU for `all`."""
    if device in ("", "cpu"):
        return []
    if device == "all":
        require_cuda()
        return list(range(torch.cuda.device_count()))
    return [int(number) for number in device.removeprefix("cuda").removeprefix(":").split(",") if number] or [0]


def use_first(gpus: list[int]) -> None:
    """Sets the first of these GPUs as the device of nets built from now on, or the CPU where there is none."""
    if not gpus:
        logger.info("Use CPU.")
        set_mode_cpu()
        return
    logger.info("Use GPU with device ID %d", gpus[0])
    use_gpu(gpus[0])
    logger.info("GPU device name: %s", torch.cuda.get_device_name(gpus[0]))


def use_gpu(index: int) -> None:
    """Sets this GPU as the device of nets built from now on."""
    set_device(index)
    set_mode_gpu()


SECONDS_BETWEEN_LOOKS = 1.0
#: torchrun's names, and Open MPI's for the fork's `mpirun -n 2 caffe train`.
_NAMES = (("RANK", "WORLD_SIZE", "LOCAL_RANK"),
          ("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_LOCAL_RANK"))  # fmt: skip


@dataclass(frozen=True)
class ProcessPlace:
    """One process among those that train together."""

    rank: int = 0
    world_size: int = 1
    local_rank: int = 0  # on this machine


def place_of_environment() -> ProcessPlace:
    """Returns the place that torchrun or mpirun wrote into the environment; without them, that of a single process."""
    for names in _NAMES:
        if names[1] in os.environ:
            return ProcessPlace(*(int(os.environ.get(name, "0")) for name in names))
    return ProcessPlace()


@contextmanager
def process_group(place: ProcessPlace) -> Iterator[None]:
    """Connects this process with the others while the block runs; a single process needs no connection."""
    if place.world_size == 1:
        yield
        return
    os.environ.setdefault("MASTER_ADDR", "127.0.0.1")
    os.environ.setdefault("MASTER_PORT", "29500")
    device = current_device()
    if device.type == "cuda":
        torch.cuda.set_device(device)
    backend = "nccl" if device.type == "cuda" else "gloo"
    distributed.init_process_group(backend, rank=place.rank, world_size=place.world_size)
    try:
        yield
    finally:
        distributed.destroy_process_group()


def start_workers(count: int, work: Callable[[], int]) -> int:
    """Runs `work` in `count` processes, one per GPU, by torch's launcher.

    `work` is pickled and returns an exit status. Returns 0, STOPPED_EARLY where the training stopped so, or 1.
    Signals go on to all processes; where one fails, the others, which would wait for it, are ended.
    """
    stopped_early = get_context("spawn").Event()
    processes = start_processes(_work, (count, _free_port(), work, stopped_early), count, join=False)
    with _passed_on([process.pid for process in processes.processes]):
        try:
            while not processes.join(SECONDS_BETWEEN_LOOKS):
                pass
        except ProcessExitedException:  # its own error is on stderr already
            return FAILED
    return STOPPED_EARLY if stopped_early.is_set() else DONE


def _work(rank: int, count: int, port: int, work: Callable[[], int], stopped_early: Event) -> None:
    """Runs in each process. A session of its own lets Ctrl-C on the terminal arrive once, through the parent."""
    os.environ[PARENT] = str(os.getppid())
    os.setsid()
    meeting_place = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    places = {"WORLD_SIZE": count, "RANK": rank, "LOCAL_RANK": rank}
    os.environ.update({name: str(value) for name, value in (meeting_place | places).items()})
    status = work()
    if status == STOPPED_EARLY:  # no failure: the launcher would end the others, one of which writes the snapshot
        stopped_early.set()
        return
    sys.exit(status)


@contextmanager
def _passed_on(pids: Sequence[int]) -> Iterator[None]:
    """Passes signals to this process on to the others while the block runs."""

    def forward(number: int, frame: FrameType | None) -> None:
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, number)

    before = {number: signal.signal(number, forward) for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
