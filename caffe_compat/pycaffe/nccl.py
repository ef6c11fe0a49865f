"""Trains one net with solvers in several processes (caffe::NCCL), through torch.distributed."""

import socket
from typing import TYPE_CHECKING

import torch
from torch import distributed as processes

from caffe_compat.errors import MissingFeatureError
from caffe_compat.net.settings import current_device, solver_count, solver_rank

if TYPE_CHECKING:
    from caffe_compat.pycaffe.solver import SGDSolver


def has_nccl() -> bool:
    """Whether torch has NCCL, which GPUs need; on the CPU, processes use Gloo."""
    return processes.is_available() and processes.is_nccl_available()


class NCCL:
    """Joins this process's solver with those of the others that got the same `uid`.

    Every process first calls `set_solver_count` and `set_solver_rank`. As a callback of the solver it replaces the
    gradients by their mean over the processes before each update.
    """

    def __init__(self, solver: "SGDSolver", uid: bytes) -> None:
        self._net = solver._solver.net
        if solver_count() > 1 and not processes.is_initialized():
            _require_distributed()
            processes.init_process_group(
                "nccl" if current_device().type == "cuda" else "gloo",
                init_method=uid.decode(),
                rank=solver_rank(),
                world_size=solver_count(),
            )

    @staticmethod
    def new_uid() -> bytes:
        """Returns an id (a local address) by which processes of this machine join; pass one id to all processes."""
        _require_distributed()
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            return f"tcp://127.0.0.1:{free.getsockname()[1]}".encode()

    def bcast(self) -> None:
        """Copies the weights of the first process to all others."""
        if solver_count() > 1:
            self._net.flush()
            for learnable in self._net.learnable:
                processes.broadcast(learnable.parameter.detach(), src=0)
                torch.autograd.graph.increment_version(learnable.parameter)

    def on_start(self) -> None:
        """Does nothing before an iteration."""

    def on_gradients_ready(self) -> None:
        """Averages the gradients of the whole net over the processes, even if a script asks for it layer by layer."""
        if solver_count() > 1:
            self._net.flush()
            for gradient in self._net.learnable_gradients():
                processes.all_reduce(gradient)
                gradient.div_(solver_count())


def _require_distributed() -> None:
    if not processes.is_available():
        raise MissingFeatureError("this torch has no torch.distributed; train in one process or install another torch")
