"""RMSProp beside its closed form."""

import numpy as np
import pytest

from caffe_compat.errors import SolverError
from tests.solvers.least_squares import Array, Problem, make_solver
from tests.solvers.update_rules.closed_form import check_rule


def rmsprop(problem: Problem, index: int, gradient: Array, rate: float, iteration: int) -> Array:
    history = problem.kept("history")
    history[index] = 0.7 * history[index] + 0.3 * gradient**2
    return rate * gradient / (np.sqrt(history[index]) + 0.02)


def test_rmsprop() -> None:
    check_rule('type: "RMSProp" rms_decay: 0.7 delta: 0.02', rmsprop)


def test_rmsprop_has_no_momentum() -> None:
    with pytest.raises(SolverError, match=r"^Momentum cannot be used with RMSProp: expected 0, got 0.5; drop momentum"):
        make_solver('type: "RMSProp" momentum: 0.5')


def test_the_decay_is_below_one() -> None:
    with pytest.raises(SolverError, match=r"^rms_decay should lie between 0 and 1, got 1"):
        make_solver('type: "RMSProp" rms_decay: 1')
