"""SGD beside its closed form."""

import pytest

from tests.solvers.least_squares import Array, Problem
from tests.solvers.update_rules.closed_form import check_rule


def sgd(problem: Problem, index: int, gradient: Array, rate: float, iteration: int) -> Array:
    history = problem.kept("history")
    history[index] = 0.8 * history[index] + rate * gradient
    return history[index]


@pytest.mark.parametrize("engine", ["exact", "fast"])
def test_sgd(engine: str) -> None:
    check_rule('type: "SGD" momentum: 0.8', sgd, engine=engine)
