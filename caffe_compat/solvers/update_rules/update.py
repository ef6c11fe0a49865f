"""What an update rule works on."""

from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from caffe_compat.errors import SolverError
from caffe_compat.proto import caffe_pb2


@dataclass(frozen=True)
class Update:
    """One entry a weight in every list; a rule turns `gradients` in place into what is subtracted from the weights."""

    gradients: list[Tensor]
    history: list[Tensor]
    second_history: list[Tensor]  # empty for rules that keep one blob a weight
    rates: list[float]  # the learning rate times lr_mult
    iteration: int  # of the update, from 0


class UpdateRule(Protocol):
    """Changes gradients and histories in place; made from the solver's hyper-parameters."""

    histories: int  # blobs a weight in a .solverstate

    def __call__(self, update: Update) -> None: ...


def refuse_momentum(solver: caffe_pb2.SolverParameter) -> None:
    """AdaGrad and RMSProp have none."""
    if solver.momentum != 0:
        raise SolverError(
            f"Momentum cannot be used with {solver.type}: expected 0, got {solver.momentum:g}; drop momentum"
        )
