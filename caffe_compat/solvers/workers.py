"""The processes that train one net together, each on its own part of the data (parallel.cpp), and signs of life."""

import logging
import math
import os
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, Protocol

import torch
from torch import Tensor
from torch import distributed as processes

from caffe_compat.errors import SolverError
from caffe_compat.net.net import Net
from caffe_compat.net.settings import Surroundings

logger = logging.getLogger("caffe_compat")

#: Gradients travel together up to this many numbers: few messages, and little memory beside the gradients.
_BUCKET = 8 * 2**20
#: The others wait this long while the first process tests or writes.
_PATIENCE = timedelta(hours=6)


class Workers(Protocol):
    """The processes of one training, as a solver uses them."""

    rank: int
    size: int

    def share_weights(self, net: Net) -> None:
        """Copies the weights of the first process to all others."""

    def average(self, gradients: list[Tensor]) -> None:
        """Replaces gradients by their mean over the processes."""

    def gather(self, value: Any) -> list[Any]:
        """Every process's value, by rank."""


class Alone:
    """One process."""

    rank, size = 0, 1

    def share_weights(self, net: Net) -> None:
        """Nothing to do."""

    def average(self, gradients: list[Tensor]) -> None:
        """Nothing to do."""

    def gather(self, value: Any) -> list[Any]:
        """The value itself."""
        return [value]


class ProcessGroup:
    """Several processes, connected by torch.distributed: NCCL between GPUs, gloo between CPUs."""

    def __init__(self, surroundings: Surroundings) -> None:
        self.rank, self.size = surroundings.rank, surroundings.world_size
        # Small messages go by the CPU, so that they do not make a GPU wait.
        self._messages = processes.new_group(backend="gloo", timeout=_PATIENCE)

    def share_weights(self, net: Net) -> None:
        """Broadcasts learnable weights and statistics."""
        with self._told_in_a_line():
            for learnable in net.learnable:
                processes.broadcast(learnable.parameter.data, src=0)

    def average(self, gradients: list[Tensor]) -> None:
        """Sums over the processes, scaled by one over their number, as BVLC's NCCL does."""
        buckets = list(_buckets(gradients))
        flats = [torch.cat([gradient.flatten() for gradient in bucket]) for bucket in buckets]
        with self._told_in_a_line():
            for work in [processes.all_reduce(flat, async_op=True) for flat in flats]:
                work.wait()
        for bucket, flat in zip(buckets, flats, strict=True):
            parts = torch.split(flat.div_(self.size), [gradient.numel() for gradient in bucket])
            torch._foreach_copy_(bucket, [part.view_as(own) for part, own in zip(parts, bucket, strict=True)])

    def gather(self, value: Any) -> list[Any]:
        """By gloo."""
        values: list[Any] = [None] * self.size
        with self._told_in_a_line():
            processes.all_gather_object(values, value, group=self._messages)
        return values

    @contextmanager
    def _told_in_a_line(self) -> Iterator[None]:
        """Where a process fails, the others find a closed connection, and refer to its message."""
        try:
            yield
        except RuntimeError as error:
            raise SolverError(
                f"process {self.rank} has lost one of the {self.size} processes, whose own message says why; "
                f"resume from the last snapshot ({_words(error)})"
            ) from error


def _words(error: RuntimeError) -> str:
    """The first line of an error of torch, without the place in torch's own code."""
    return re.sub(r"^\[[^]]*\]\s*", "", (str(error).splitlines() or [""])[0])[:200]


def _buckets(gradients: list[Tensor]) -> Iterator[list[Tensor]]:
    bucket: list[Tensor] = []
    for gradient in gradients:
        if bucket and sum(map(Tensor.numel, bucket)) + gradient.numel() > _BUCKET:
            yield bucket
            bucket = []
        bucket.append(gradient)
    if bucket:
        yield bucket


def join_workers(surroundings: Surroundings) -> Workers:
    """The workers that the surroundings describe.

    Where the processes are not connected yet, pycaffe's NCCL, which is made after its solver, will average gradients.
    """
    return ProcessGroup(surroundings) if surroundings.world_size > 1 and processes.is_initialized() else Alone()


def log_batch_size(net: Net, workers: int, iter_size: int) -> None:
    """Logs how many items an update sees, because batch_size counts for one GPU."""
    shape = next((blob.shape for blob in net.blobs.values() if blob.shape), (1,))
    logger.info(
        "Effective batch size: %d (%d workers x iter_size %d x batch_size %d)",
        math.prod((workers, iter_size, shape[0])), workers, iter_size, shape[0],
    )  # fmt: skip


#: A process that gives no sign for so many seconds is taken for lost.
DEFAULT_PATIENCE = 300
_BEAT_SECONDS = 5.0


@contextmanager
def heartbeat(patience: float) -> Iterator[None]:
    """While the block runs, a thread of every process meets those of the others every few seconds.

    The threads meet while the main threads test, write or wait, so that long tests are no reason to end. A process
    that is stopped (SIGSTOP), or whose network is gone, ends the others after `patience` seconds: with exit status 1
    and one line. Without other processes nothing happens.
    """
    if not processes.is_initialized() or processes.get_world_size() == 1:
        yield
        return
    group = processes.new_group(backend="gloo", timeout=timedelta(seconds=patience))
    leaving = threading.Event()
    beats = threading.Thread(target=_beat, args=(group, leaving, patience), name="caffe-heartbeat", daemon=True)
    beats.start()
    try:
        yield
    except BaseException:
        leaving.set()  # the others meet a closed connection, each of which says so
        raise
    leaving.set()
    beats.join()


def _beat(group: processes.ProcessGroup, leaving: threading.Event, patience: float) -> None:
    """Meets the others until all are leaving."""
    everyone = processes.get_world_size()
    while True:
        left = torch.tensor([float(leaving.is_set())])
        try:
            processes.all_reduce(left, group=group)
        except RuntimeError as error:
            if not leaving.is_set():
                _end(patience, str(error))
            return
        if int(left) == everyone:
            return
        leaving.wait(min(_BEAT_SECONDS, patience / 4))


def _end(patience: float, words: str) -> None:
    rank, size = processes.get_rank(), processes.get_world_size()
    reason = f"gave no sign for {patience:g} s" if "imed out" in words else "has ended"
    line = f"process {rank}: one of the {size} processes {reason}; resume from the last snapshot (--snapshot=auto)"
    os.write(2, f"{line}\n".encode())
    os._exit(1)
