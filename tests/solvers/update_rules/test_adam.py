"""Adam beside its closed form."""

import numpy as np

from tests.solvers.least_squares import Array, Problem
from tests.solvers.update_rules.closed_form import check_rule


def adam(problem: Problem, index: int, gradient: Array, rate: float, iteration: int) -> Array:
    means, squares = problem.kept("means"), problem.kept("squares")
    means[index] = 0.8 * means[index] + 0.2 * gradient
    squares[index] = 0.95 * squares[index] + 0.05 * gradient**2
    correction = np.sqrt(1 - 0.95 ** (iteration + 1)) / (1 - 0.8 ** (iteration + 1))
    step: Array = rate * correction * means[index] / (np.sqrt(squares[index]) + 0.02)
    return step


def test_adam() -> None:
    check_rule('type: "Adam" momentum: 0.8 momentum2: 0.95 delta: 0.02', adam)
