"""Runs a rule beside its closed form."""

from collections.abc import Callable

import numpy as np

from tests.solvers.least_squares import DECAYS, RATES, Array, Problem, make_solver, weights_of

#: (problem, blob index, gradient, rate, iteration) -> the step that is subtracted
ClosedForm = Callable[[Problem, int, Array, float, int], Array]

ITERATIONS = 6


def check_rule(text: str, closed_form: ClosedForm, base_lr: float = 0.04, engine: str = "exact") -> None:
    """Six iterations with weight decay give the closed form's weights.

    Gradients of the exact engine end as the last steps.
    """
    solver = make_solver(f"{text} base_lr: {base_lr} weight_decay: 0.03", engine)
    problem = Problem.of(solver)
    for iteration in range(ITERATIONS):
        steps = []
        for index, gradient in enumerate(problem.gradients()):
            decayed = gradient + 0.03 * DECAYS[index] * problem.weights[index]
            steps.append(closed_form(problem, index, decayed, base_lr * RATES[index], iteration))
        for index, step in enumerate(steps):
            problem.weights[index] -= step
        solver.step(1)
        for got, expected in zip(weights_of(solver), problem.weights, strict=True):
            # float32 against float64: a handful of operations an iteration
            np.testing.assert_allclose(got, expected, rtol=2e-5, atol=2e-6)
    for blob, step in zip(solver.net.params["ip"], steps, strict=True) if engine == "exact" else ():
        np.testing.assert_allclose(blob.diff, step, rtol=2e-4, atol=1e-6)
