"""Every policy beside its formula, and plateau beside the paper's words."""

import math
from dataclasses import replace

import pytest
from google.protobuf import text_format

from caffe_compat.errors import SolverError
from caffe_compat.proto import caffe_pb2
from caffe_compat.solvers.learning_rate import (
    POLICIES,
    Schedule,
    advance,
    check_policy,
    learning_rate,
    observe_test_loss,
)

SETTINGS = "base_lr: 0.02 gamma: 0.3 power: 0.75 stepsize: 7 stepvalue: [4, 9, 10] max_iter: 40"
FORMULAS = {
    "fixed": lambda i: 0.02,
    "step": lambda i: 0.02 * 0.3 ** (i // 7),
    "exp": lambda i: 0.02 * 0.3**i,
    "inv": lambda i: 0.02 * (1 + 0.3 * i) ** -0.75,
    "multistep": lambda i: 0.02 * 0.3 ** ((i >= 4) + (i >= 9) + (i >= 10)),
    "poly": lambda i: 0.02 * (1 - i / 40) ** 0.75,
    "sigmoid": lambda i: 0.02 / (1 + math.exp(-0.3 * (i - 7))),
    "exp10": lambda i: 0.02 * 10 ** (-i / 7),
}


def parameter(policy: str, settings: str = SETTINGS) -> caffe_pb2.SolverParameter:
    return text_format.Parse(f'lr_policy: "{policy}" {settings}', caffe_pb2.SolverParameter())


def test_every_policy_has_a_formula() -> None:
    assert set(FORMULAS) == set(POLICIES) - {"plateau"}


@pytest.mark.parametrize("policy", sorted(FORMULAS))
def test_a_policy_is_its_formula(policy: str) -> None:
    schedule = Schedule()
    for iteration in range(23):
        schedule.iteration = iteration
        before = replace(schedule)
        assert learning_rate(parameter(policy), schedule) == pytest.approx(FORMULAS[policy](iteration), rel=1e-6)
        assert schedule == before
        advance(parameter(policy), schedule)


def test_multistep_logs_its_steps_in_caffes_words(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    schedule = Schedule(iteration=9, current_step=2)
    advance(parameter("multistep"), schedule)
    assert caplog.messages == []
    schedule.iteration = 10
    advance(parameter("fixed"), schedule)
    advance(parameter("multistep"), schedule)
    advance(parameter("multistep"), schedule)
    assert caplog.messages == ["MultiStep Status: Iteration 10, step = 3"]


def test_multistep_takes_one_step_an_iteration_as_caffe_does() -> None:
    solver, schedule = parameter("multistep", "base_lr: 1 gamma: 0.5 stepvalue: [2, 2, 3]"), Schedule(iteration=2)
    steps = []
    for schedule.iteration in (2, 3, 4, 5):
        advance(solver, schedule)
        steps.append(schedule.current_step)
    assert steps == [1, 2, 3, 3]


def test_sigmoid_ends_in_zero_far_before_its_middle() -> None:
    far = parameter("sigmoid", "base_lr: 1 gamma: 5 stepsize: 100000")
    assert learning_rate(far, Schedule()) == 0.0


@pytest.mark.parametrize(
    ("iteration", "rate"), [(0, 0.3 / (1 + math.exp(-2.0))), (8, 0.15), (30, 0.3 / (1 + math.exp(5.5)))]
)
def test_sigmoid_falls_with_a_negative_gamma(iteration: int, rate: float) -> None:
    solver = parameter("sigmoid", "base_lr: 0.3 gamma: -0.25 stepsize: 8")
    check_policy(solver)
    assert learning_rate(solver, Schedule(iteration=iteration)) == pytest.approx(rate, rel=1e-6)


def test_plateau_takes_a_tenth_whenever_the_test_loss_stops_improving_down_to_1e_5(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO")
    solver, schedule = parameter("plateau", "base_lr: 1e-3"), Schedule()
    rates = []
    for iteration, loss in enumerate([0.9, 0.8, 0.8, 0.7, 0.75, 0.9, 0.6]):
        schedule.iteration = 10 * iteration
        observe_test_loss(solver, schedule, loss)
        rates.append(learning_rate(solver, schedule))
    assert rates == pytest.approx([1e-3, 1e-3, 1e-4, 1e-4, 1e-5, 1e-5, 1e-5], rel=1e-6)
    assert caplog.messages[0] == "Plateau Status: Iteration 20, step = 1"


def test_plateau_waits_for_stepsize_iterations() -> None:
    solver, schedule = parameter("plateau", "base_lr: 1 gamma: 0.5 stepsize: 25"), Schedule()
    for iteration, steps in ((0, 0), (10, 0), (20, 0), (30, 1), (40, 1), (50, 1), (60, 2)):
        schedule.iteration = iteration
        observe_test_loss(solver, schedule, 0.5)
        assert schedule.current_step == steps


def test_other_policies_do_not_look_at_the_test_loss() -> None:
    schedule = Schedule(iteration=5)
    observe_test_loss(parameter("fixed"), schedule, 0.1)
    assert schedule == Schedule(iteration=5)


@pytest.mark.parametrize(
    ("policy", "settings", "message"),
    [
        ("cosine", "", r"^Unknown learning rate policy: 'cosine'; expected one of: fixed, step"),
        ("inv", "gamma: -1", r"^lr_policy inv: expected a gamma of at least 0, got -1"),
        ("plateau", "", r"^lr_policy plateau follows the test loss: set test_iter and test_interval"),
    ],
)
def test_a_policy_that_cannot_work_is_refused_before_training(policy: str, settings: str, message: str) -> None:
    with pytest.raises(SolverError, match=message):
        check_policy(parameter(policy, settings))


@pytest.mark.parametrize("policy", ["step", "sigmoid", "exp10"])
def test_a_policy_with_steps_needs_their_size(policy: str) -> None:
    with pytest.raises(SolverError, match=rf"^lr_policy {policy}: expected a stepsize above 0, got 0; set stepsize"):
        learning_rate(parameter(policy, "base_lr: 1 gamma: 0.5"), Schedule())


@pytest.mark.parametrize(("max_iter", "iteration"), [(4, 5), (0, 0)])
def test_poly_ends_at_max_iter(max_iter: int, iteration: int) -> None:
    message = rf"^lr_policy poly: expected iterations up to max_iter {max_iter}, got {iteration}; raise max_iter"
    with pytest.raises(SolverError, match=message):
        learning_rate(parameter("poly", f"base_lr: 1 power: 2 max_iter: {max_iter}"), Schedule(iteration))
