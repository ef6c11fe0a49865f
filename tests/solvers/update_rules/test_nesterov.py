"""Nesterov beside its closed form."""

from tests.solvers.least_squares import Array, Problem
from tests.solvers.update_rules.closed_form import check_rule


def nesterov(problem: Problem, index: int, gradient: Array, rate: float, iteration: int) -> Array:
    history = problem.kept("history")
    before = history[index]
    history[index] = 0.8 * before + rate * gradient
    return 1.8 * history[index] - 0.8 * before


def test_nesterov() -> None:
    check_rule('type: "Nesterov" momentum: 0.8', nesterov)
