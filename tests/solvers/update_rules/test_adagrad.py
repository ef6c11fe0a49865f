"""AdaGrad beside its closed form."""

import numpy as np
import pytest

from caffe_compat.errors import SolverError
from tests.solvers.least_squares import Array, Problem, make_solver
from tests.solvers.update_rules.closed_form import check_rule


def adagrad(problem: Problem, index: int, gradient: Array, rate: float, iteration: int) -> Array:
    history = problem.kept("history")
    history[index] = history[index] + gradient**2
    return rate * gradient / (np.sqrt(history[index]) + 0.02)


def test_adagrad() -> None:
    check_rule('type: "AdaGrad" delta: 0.02', adagrad)


def test_adagrad_has_no_momentum() -> None:
    with pytest.raises(SolverError, match=r"^Momentum cannot be used with AdaGrad: expected 0, got 0.9; drop momentum"):
        make_solver('type: "AdaGrad" momentum: 0.9')
