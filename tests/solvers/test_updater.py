"""Weights that nothing can move are left alone; those with a history go on moving, as in Caffe."""

import numpy as np
import pytest

from caffe_compat.solvers.solver import Solver
from tests.solvers.least_squares import make_solver, solver_parameter, weights_of


def fixed_solver(text: str) -> Solver:
    parameter = solver_parameter(text)
    for param in parameter.net_param.layer[1].param:
        param.lr_mult = param.decay_mult = 0
    return Solver(parameter)


def test_a_restored_history_moves_a_weight_of_rate_0() -> None:
    solver = fixed_solver('base_lr: 1 momentum: 0.5 type: "SGD"')
    before = weights_of(solver)
    solver.updater.restore([np.full((3, 4), 0.25, np.float32), np.zeros(3, np.float32)], "state")
    solver.step(2)
    after = weights_of(solver)
    np.testing.assert_allclose(after[0], before[0] - 0.125 - 0.0625, rtol=1e-6)
    np.testing.assert_array_equal(after[1], before[1])


def test_weight_decay_of_a_weight_of_rate_0_goes_to_adams_history_only() -> None:
    parameter = solver_parameter('base_lr: 1 type: "Adam" momentum: 0.9 weight_decay: 0.1')
    for param in parameter.net_param.layer[1].param:
        param.lr_mult = 0
    solver = Solver(parameter)
    before = weights_of(solver)
    solver.step(1)
    assert all(map(np.array_equal, weights_of(solver), before))
    np.testing.assert_allclose(solver.updater.histories[0], 0.1 * 0.1 * 2.0 * before[0], rtol=1e-5)


@pytest.mark.parametrize("kind", ["L1", "L2"])
def test_regularisation_is_the_solvers(kind: str) -> None:
    solver = make_solver(f'base_lr: 1 type: "SGD" weight_decay: 0.01 regularization_type: "{kind}"')
    plain = make_solver('base_lr: 1 type: "SGD"')
    before = weights_of(solver)[0]
    solver.step(1)
    plain.step(1)
    penalty = np.sign(before) if kind == "L1" else before
    difference = weights_of(plain)[0] - weights_of(solver)[0]
    np.testing.assert_allclose(difference, 1.5 * 0.01 * 2.0 * penalty, rtol=1e-3, atol=1e-6)
