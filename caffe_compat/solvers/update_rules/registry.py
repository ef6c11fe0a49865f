"""Update rules by the `type` of a solver: the one list of rules, which everything asks."""

from collections.abc import Callable
from typing import TypeVar

from caffe_compat.errors import SolverError
from caffe_compat.proto import caffe_pb2
from caffe_compat.solvers.update_rules.update import UpdateRule

RuleClass = TypeVar("RuleClass", bound=type[UpdateRule])

_RULES: dict[str, type[UpdateRule]] = {}


def register_update_rule(solver_type: str) -> Callable[[RuleClass], RuleClass]:
    """A decorator: a solver of this type is moved by the class below. A type has one class."""

    def register(rule: RuleClass) -> RuleClass:
        if solver_type in _RULES:
            raise SolverError(f"solver type '{solver_type}' is registered already, by {_RULES[solver_type].__name__}")
        _RULES[solver_type] = rule
        return rule

    return register


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
