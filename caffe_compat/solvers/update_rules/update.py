"""What an update rule is, and what it works on."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from caffe_compat.errors import SolverError
from caffe_compat.proto import caffe_pb2


@dataclass(frozen=True)
class Update:
    """The lists of one update, with one entry per weight that moves.

    A rule changes `gradients` in place into what is then subtracted from the weights.
    """

    gradients: list[Tensor]
    history: list[Tensor]
    second_history: list[Tensor]  # empty for rules that keep one blob per weight
    rates: list[float]  # the learning rate times lr_mult
    iteration: int  # of the update, from 0
    weights: list[Tensor]  # to be read only
    decays: list[float]  # weight_decay times decay_mult; 0 for rules without `decays_weights`


class UpdateRule(ABC):
    """Changes gradients and histories in place. Made from the solver's hyper-parameters."""

    #: Blobs that a .solverstate holds for each weight.
    histories: ClassVar[int] = 1
    #: Whether the rule divides a gradient by its own size: it makes full steps of what rounding leaves of a zero.
    divides_by_size: ClassVar[bool] = False
    #: Whether the rule applies the weight decay itself; else the solver adds the decay to the gradients before.
    decays_weights: ClassVar[bool] = False

    def __init__(self, solver: caffe_pb2.SolverParameter) -> None:
        self.momentum: float = solver.momentum

    @abstractmethod
    def __call__(self, update: Update) -> None:
        """Turns `update.gradients` into the steps to subtract, and moves the histories on."""


def refuse_momentum(solver: caffe_pb2.SolverParameter) -> None:
    """SolverError where a solver whose rule has no momentum (AdaGrad, RMSProp) sets one."""
    if solver.momentum != 0:
        raise SolverError(
            f"Momentum cannot be used with {solver.type}: expected 0, got {solver.momentum:g}; drop momentum"
        )
