"""The learning rate of an iteration, by lr_policy (SGDSolver::GetLearningRate)."""

import logging
import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from caffe_compat.errors import SolverError
from caffe_compat.proto import caffe_pb2

logger = logging.getLogger("caffe_compat")

LOWEST_RATE = 1e-5  # where `plateau` ends (section 4.1 of the paper)


@dataclass
class Schedule:
    """Where training stands: what a learning rate may depend on."""

    iteration: int = 0
    current_step: int = 0  # how often `step`, `multistep` and `plateau` had lowered the rate before this iteration
    lowest_test_loss: float = math.inf  # `plateau` only
    lowest_at: int = 0  # the iteration of `lowest_test_loss`, or of the last step since


Policy = Callable[[caffe_pb2.SolverParameter, Schedule], float]


def fixed(solver: caffe_pb2.SolverParameter, schedule: Schedule) -> float:
    """base_lr."""
    return solver.base_lr


def step(solver: caffe_pb2.SolverParameter, schedule: Schedule) -> float:
    """base_lr * gamma ^ floor(iter / stepsize)."""
    return float(solver.base_lr * solver.gamma**schedule.current_step)


def exp(solver: caffe_pb2.SolverParameter, schedule: Schedule) -> float:
    """base_lr * gamma ^ iter."""
    return solver.base_lr * solver.gamma**schedule.iteration


def exp10(solver: caffe_pb2.SolverParameter, schedule: Schedule) -> float:
    """base_lr * 10 ^ (-iter / stepsize). From the SRN fork."""
    return float(solver.base_lr * 10.0 ** (-schedule.iteration / _positive_stepsize(solver)))


def inv(solver: caffe_pb2.SolverParameter, schedule: Schedule) -> float:
    """base_lr * (1 + gamma * iter) ^ -power."""
    return float(solver.base_lr * np.float32(1.0 + solver.gamma * schedule.iteration) ** np.float32(-solver.power))


def multistep(solver: caffe_pb2.SolverParameter, schedule: Schedule) -> float:
    """base_lr * gamma ^ (the number of stepvalues reached)."""
    return solver.base_lr * solver.gamma**schedule.current_step


def poly(solver: caffe_pb2.SolverParameter, schedule: Schedule) -> float:
    """base_lr * (1 - iter / max_iter) ^ power."""
    if not 0 < solver.max_iter >= schedule.iteration:
        raise SolverError(
            f"lr_policy poly: expected iterations up to max_iter {solver.max_iter}, got {schedule.iteration}; "
            "raise max_iter"
        )
    # In float32, as Caffe: near the end what is left is a difference of close numbers.
    left = np.float32(1.0) - np.float32(schedule.iteration) / np.float32(solver.max_iter)
    return float(solver.base_lr * left ** np.float32(solver.power))


def sigmoid(solver: caffe_pb2.SolverParameter, schedule: Schedule) -> float:
    """base_lr / (1 + exp(-gamma * (iter - stepsize)))."""
    distance = schedule.iteration - _positive_stepsize(solver)
    with np.errstate(over="ignore"):  # exp overflows to infinity, and the rate to 0
        return float(solver.base_lr / (1.0 + np.exp(np.float32(-solver.gamma * distance))))


def plateau(solver: caffe_pb2.SolverParameter, schedule: Schedule) -> float:
    """base_lr * gamma ^ (how often the test loss has stopped improving), down to 1e-5; gamma is 0.1 where not set.

    The rule of the paper's section 4.1, ours alone: Caffe has no such policy. `observe_test_loss` counts the steps.
    """
    gamma = solver.gamma if solver.HasField("gamma") else 0.1
    return max(solver.base_lr * gamma**schedule.current_step, min(solver.base_lr, LOWEST_RATE))


def _positive_stepsize(solver: caffe_pb2.SolverParameter) -> int:
    if solver.stepsize <= 0:
        raise SolverError(
            f"lr_policy {solver.lr_policy}: expected a stepsize above 0, got {solver.stepsize}; set stepsize"
        )
    return solver.stepsize


POLICIES: dict[str, Policy] = {
    "fixed": fixed,
    "step": step,
    "exp": exp,
    "inv": inv,
    "multistep": multistep,
    "poly": poly,
    "sigmoid": sigmoid,
    "exp10": exp10,
    "plateau": plateau,
}
#: Not sigmoid, where only the newest Caffe refuses it: with a negative gamma the rate falls.
NEED_GAMMA_ABOVE_0 = ("step", "exp", "inv", "multistep")


def check_policy(solver: caffe_pb2.SolverParameter) -> None:
    """Refuses, before training starts, a policy that does not exist or that lacks what it needs."""
    if solver.lr_policy not in POLICIES:
        raise SolverError(f"Unknown learning rate policy: {solver.lr_policy!r}; expected one of: {', '.join(POLICIES)}")
    if solver.lr_policy in NEED_GAMMA_ABOVE_0 and solver.gamma < 0:
        raise SolverError(f"lr_policy {solver.lr_policy}: expected a gamma of at least 0, got {solver.gamma:g}")
    if solver.lr_policy == "plateau" and not (solver.test_iter and solver.test_interval):
        raise SolverError("lr_policy plateau follows the test loss: set test_iter and test_interval")


def learning_rate(solver: caffe_pb2.SolverParameter, schedule: Schedule) -> float:
    """The rate for the schedule's iteration, as a float32 number; infinite or NaN where float32 cannot hold it."""
    reached = replace(schedule, current_step=_step_reached(solver, schedule))
    with np.errstate(all="ignore"):
        return float(np.float32(POLICIES[solver.lr_policy](solver, reached)))


def advance(solver: caffe_pb2.SolverParameter, schedule: Schedule) -> None:
    """Counts the step that the schedule's iteration reaches, which a .solverstate keeps; to be called once for each.

    For `multistep` the step is logged in Caffe's words.
    """
    reached = _step_reached(solver, schedule)
    if solver.lr_policy == "multistep" and reached != schedule.current_step:
        logger.info("MultiStep Status: Iteration %d, step = %d", schedule.iteration, reached)
    schedule.current_step = reached


def _step_reached(solver: caffe_pb2.SolverParameter, schedule: Schedule) -> int:
    """How often the rate is lowered by the schedule's iteration.

    `multistep` takes one step per iteration at most, as Caffe does where two stepvalues are equal.
    """
    if solver.lr_policy == "step":
        return schedule.iteration // _positive_stepsize(solver)
    step = schedule.current_step
    if solver.lr_policy == "multistep" and step < len(solver.stepvalue):
        return step + int(schedule.iteration >= solver.stepvalue[step])
    return step


def observe_test_loss(solver: caffe_pb2.SolverParameter, schedule: Schedule, loss: float) -> None:
    """For `plateau`: counts a step where the loss has not improved for stepsize iterations (default: since last)."""
    if solver.lr_policy != "plateau":
        return
    if loss < schedule.lowest_test_loss:
        schedule.lowest_test_loss, schedule.lowest_at = loss, schedule.iteration
    elif schedule.iteration - schedule.lowest_at >= max(1, solver.stepsize):
        schedule.current_step += 1
        schedule.lowest_at = schedule.iteration
        logger.info("Plateau Status: Iteration %d, step = %d", schedule.iteration, schedule.current_step)
