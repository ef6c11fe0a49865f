"""What an update rule is, what it works on, and the one list of rules by the `type` of a solver."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, TypeVar, cast

import torch
from torch import Tensor

from caffe_compat.errors import SolverError
from caffe_compat.proto import caffe_pb2
from caffe_compat.registry import Registry


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
    decays: list[float]  # weight_decay times decay_mult; gradients include them, except for rules with `decays_weights`

    def of(self, indices: Sequence[int]) -> "Update":
        """The update of some of the weights."""

        def chosen(tensors: list[Tensor]) -> list[Tensor]:
            return [tensors[index] for index in indices] if tensors else []

        return replace(
            self.with_tensors(chosen),
            rates=[self.rates[index] for index in indices],
            decays=[self.decays[index] for index in indices],
        )

    def with_tensors(self, change: Callable[[list[Tensor]], list[Tensor]]) -> "Update":
        """The same update with each list of tensors changed."""
        return replace(
            self,
            weights=change(self.weights),
            gradients=change(self.gradients),
            history=change(self.history),
            second_history=change(self.second_history),
        )

    def lies_alike(self, index: int) -> bool:
        """Whether a weight, its gradient and histories are without gaps and in the same order in memory."""
        tensors = [each[index] for each in (self.weights, self.gradients, self.history, self.second_history) if each]
        return all(_is_dense(tensor) and _steps(tensor) == _steps(tensors[0]) for tensor in tensors)


def numbers_of(tensor: Tensor) -> Tensor:
    """A view (count,) of all numbers of a tensor without gaps, in the order of its memory."""
    return tensor.as_strided((tensor.numel(),), (1,))


def _is_dense(tensor: Tensor) -> bool:
    return tensor.is_contiguous() or (tensor.dim() == 4 and tensor.is_contiguous(memory_format=torch.channels_last))


def _steps(tensor: Tensor) -> list[int]:
    """The strides of the axes with more than one place; those of others say nothing."""
    return [stride for size, stride in zip(tensor.shape, tensor.stride(), strict=True) if size > 1]


class UpdateRule(ABC):
    """Changes gradients and histories in place. Made from the solver's hyper-parameters."""

    #: Blobs that a .solverstate holds for each weight.
    histories: ClassVar[int] = 1
    #: Whether the rule divides a gradient by its own size: it makes full steps of what rounding leaves of a zero.
    divides_by_size: ClassVar[bool] = False
    #: Whether the rule applies the weight decay itself; else the solver adds the decay to the gradients before.
    decays_weights: ClassVar[bool] = False

    #: Whether each number of a step depends on the same number of gradient, weight and histories alone, so that the
    #: solver may call the rule for one part of the weights after the other. A rule that takes norms (LARS) does not.
    works_by_number: ClassVar[bool] = False

    def __init__(self, solver: caffe_pb2.SolverParameter) -> None:
        self.momentum: float = solver.momentum

    @abstractmethod
    def __call__(self, update: Update) -> None:
        """Turns `update.gradients` into the steps to subtract, and moves the histories on."""

    def move(self, update: Update) -> Update:
        """Moves weights and histories, with L2 weight decay, where torch has one kernel for all of it.

        Leaves gradients as they are. Returns the update of the other weights, which have not moved.
        """
        return update


def refuse_momentum(solver: caffe_pb2.SolverParameter) -> None:
    """SolverError where a solver whose rule has no momentum (AdaGrad, RMSProp) sets one."""
    if solver.momentum != 0:
        raise SolverError(
            f"Momentum cannot be used with {solver.type}: expected 0, got {solver.momentum:g}; drop momentum"
        )


RuleClass = TypeVar("RuleClass", bound=type[UpdateRule])

_RULES: Registry[type[UpdateRule]] = Registry("solver type", SolverError)


def register_update_rule(solver_type: str) -> Callable[[RuleClass], RuleClass]:
    """A decorator: a solver of this type is moved by the class below. A type has one class."""
    return cast(Callable[[RuleClass], RuleClass], _RULES.register(solver_type))


def solver_types() -> list[str]:
    """All solver types, in the order of registration."""
    return list(_RULES)


def update_rule_of(solver_type: str) -> type[UpdateRule]:
    """The class of a solver type; SolverError names the known types."""
    if solver_type not in _RULES:
        raise SolverError(f"Unknown solver type: {solver_type} (known types: {', '.join(_RULES)})")
    return _RULES[solver_type]


def create_update_rule(solver: caffe_pb2.SolverParameter) -> UpdateRule:
    """The rule of the solver's type with the solver's hyper-parameters; the rule refuses impossible ones."""
    return update_rule_of(solver.type)(solver)
