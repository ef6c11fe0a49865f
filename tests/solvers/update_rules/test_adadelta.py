"""AdaDelta beside its closed form."""

import numpy as np

from tests.solvers.least_squares import Array, Problem
from tests.solvers.update_rules.closed_form import check_rule


def adadelta(problem: Problem, index: int, gradient: Array, rate: float, iteration: int) -> Array:
    gradients, steps = problem.kept("gradients"), problem.kept("steps")
    gradients[index] = 0.8 * gradients[index] + 0.2 * gradient**2
    step = gradient * np.sqrt((steps[index] + 0.02) / (gradients[index] + 0.02))
    steps[index] = 0.8 * steps[index] + 0.2 * step**2
    return rate * step


def test_adadelta() -> None:
    check_rule('type: "AdaDelta" momentum: 0.8 delta: 0.02', adadelta)
