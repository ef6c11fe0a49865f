"""Several processes for one training: who is who, and starting one a GPU (parallel.cpp, torchrun, mpirun)."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

import torch
from torch import distributed

from caffe_compat.net.device import current_device

#: torchrun's names, and Open MPI's for the fork's `mpirun -n 2 caffe train`.
_NAMES = (("RANK", "WORLD_SIZE", "LOCAL_RANK"),
          ("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_LOCAL_RANK"))  # fmt: skip


@dataclass(frozen=True)
class Place:
    """One process among those that train together."""

    rank: int = 0
    world_size: int = 1
    local_rank: int = 0  # on this machine


def place_of_environment() -> Place:
    """What torchrun or mpirun says in the environment; alone without them."""
    for names in _NAMES:
        if names[1] in os.environ:
            return Place(*(int(os.environ.get(name, "0")) for name in names))
    return Place()


@contextmanager
def process_group(place: Place) -> Iterator[None]:
    """While the block runs, this process is connected with the others."""
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


def worker_command() -> list[str]:
    """This command line."""
    return [sys.executable, "-m", "caffe_compat", *sys.argv[1:]]


def start_workers(count: int) -> int:
    """Runs this command line again, once a GPU; returns the first exit status that is not 0."""
    environment = os.environ | {
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(_free_port()),
        "WORLD_SIZE": str(count),
    }
    workers = [
        subprocess.Popen(
            worker_command(), env=environment | {"RANK": str(rank), "LOCAL_RANK": str(rank)}, start_new_session=True
        )
        for rank in range(count)
    ]

    def forward(number: int, frame: FrameType | None) -> None:
        for worker in workers:
            worker.send_signal(number)

    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        signal.signal(number, forward)
    return _wait(workers)


def _wait(workers: list["subprocess.Popen[bytes]"]) -> int:
    """Until all have ended; where one fails, the others, which would wait for it, are ended."""
    while any(worker.poll() is None for worker in workers):
        if any(worker.poll() for worker in workers):
            for worker in workers:
                worker.terminate()
        time.sleep(0.2)
    return next((1 for worker in workers if worker.returncode), 0)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
