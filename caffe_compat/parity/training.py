"""Compares trainings: losses, updates of weights, and the solver's history."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from caffe_compat.errors import DataError
from caffe_compat.graph.wiring import Step
from caffe_compat.net.net import Net
from caffe_compat.parity.batch_statistics import cancelled_biases
from caffe_compat.parity.causes.gradients import find_factor
from caffe_compat.parity.comparison import Comparison, Difference, Kind, Verdict
from caffe_compat.parity.measure import FLOOR, Errors, Tolerances, errors_between
from caffe_compat.parity.recording import Array, Recording
from caffe_compat.parity.training_runs import record_training
from caffe_compat.solvers.solver import Solver
from caffe_compat.solvers.update_rules.registry import update_rule_of

#: A change below this fraction of the weight is lost in float32.
ROUNDING = 1e-6
#: Changes below this fraction of the run's largest change are judged as if they had this size.
SMALLEST_SHARE = 1e-3
NOISE = (
    "a bias before a normalisation by the batch, whose mean takes it away: its true gradient is zero, and {rule} makes "
    "full steps of what rounding leaves; the net's function does not depend on it"
)
STATISTICS = (
    "running statistics: a Caffe before September 2016 (BVLC/caffe#4704) decays them like weights; "
    "give the layer three param { lr_mult: 0 decay_mult: 0 } there"
)


def compare_training(solver: Solver, other: Recording, tolerances: Tolerances) -> Comparison:
    """Trains as many iterations as the other side; returns the comparison of losses, updates and histories."""
    iterations = max((values.size for values in other.losses.values()), default=0)
    if not iterations or not other.final_weights:
        raise DataError(
            f"{other.source}: expected losses and final weights of a training, found none; record it with "
            "record_blobs.py --solver"
        )
    ours = record_training(solver, iterations, "ours")
    rows = [
        *_loss_rows(solver.net, ours, other, tolerances),
        *_update_rows(solver, ours, other, tolerances),
        *_history_rows(solver, ours, other, tolerances),
    ]
    missing = [f"{name} (final weights)" for name in ours.final_weights if name not in other.final_weights]
    return Comparison(other.source, rows, other.notes, missing)


def _row(
    step: Step,
    blob: str,
    kind: Kind,
    ours: Array,
    theirs: Array,
    floor: float,
    limit: float,
    errors: Errors | None = None,
) -> Difference:
    errors = errors or errors_between(ours, theirs, floor)
    verdict = Verdict.SAME if errors.relative <= limit else Verdict.DIFFERS
    if ours.size != theirs.size:
        verdict = Verdict.OTHER_SHAPE
    cause = find_factor(ours, theirs) if verdict == Verdict.DIFFERS else ""
    spec = step.layer.spec
    return Difference(spec.name, spec.type, blob, kind, ours.shape, theirs.shape, errors, None, verdict, cause=cause)


def _loss_rows(net: Net, ours: Recording, other: Recording, tolerances: Tolerances) -> Iterator[Difference]:
    """Yields a row per loss: the first iteration tests the forward pass, later iterations test the updates."""
    for name, mine in ours.losses.items():
        if name not in other.losses:
            continue
        step = next(step for step in reversed(net.steps) if name in step.tops)
        first = errors_between(mine[:1], other.losses[name][:1])
        row = _row(step, name, Kind.LOSS, mine, other.losses[name], FLOOR, tolerances.update)
        if first.relative > tolerances.net:
            row = replace(row, verdict=Verdict.DIFFERS, cause="in the first iteration already: compare the nets first")
        yield row


def _update_rows(solver: Solver, ours: Recording, other: Recording, tolerances: Tolerances) -> Iterator[Difference]:
    idle = _cancelled(solver)
    changes = {key: _change(key, other, ours.weights[key]) for key in ours.weights if key in other.final_weights}
    largest = max((float(np.abs(change).max(initial=0.0)) for change in changes.values()), default=0.0)
    steps = {step.layer.name: step for step in solver.net.steps}
    for key, their_change in changes.items():
        layer, _, number = key.rpartition("/")
        start = ours.weights[key]
        rounding = ROUNDING * float(np.abs(start).max(initial=0.0)) / tolerances.update
        floor = max(FLOOR, rounding, SMALLEST_SHARE * largest)
        change = ours.final_weights[key] - start
        row = _row(steps[layer], f"blob {number}", Kind.UPDATE, change, their_change, floor, tolerances.update)
        yield _excused(row, solver) if key in idle else row


def _change(key: str, other: Recording, start: Array) -> Array:
    theirs = other.final_weights[key]
    return theirs.reshape(start.shape) - start if theirs.size == start.size else theirs


def _excused(row: Difference, solver: Solver) -> Difference:
    if row.verdict != Verdict.DIFFERS:
        return row
    return replace(row, verdict=Verdict.NOISE, cause=NOISE.format(rule=solver.parameter.type))


def _cancelled(solver: Solver) -> set[str]:
    """Returns `layer/index` of biases whose true gradient is zero, and of the running means behind them.

    A rule that divides by the gradient's size moves such biases by noise alone.
    """
    if not update_rule_of(solver.parameter.type).divides_by_size:
        return set()
    found = cancelled_biases(solver.net.steps)
    return {*found, *found.values()}


def _history_rows(solver: Solver, ours: Recording, other: Recording, tolerances: Tolerances) -> Iterator[Difference]:
    learnable = solver.net.learnable
    steps = {step.layer.name: step for step in solver.net.steps}
    idle = _cancelled(solver)
    scale = max((float(np.abs(values).max(initial=0.0)) for values in other.histories.values()), default=0.0)
    for number, mine in ours.histories.items():
        if number not in other.histories:
            continue
        label = learnable[int(number) % len(learnable)].label
        layer, _, blob = label.rpartition("/")
        theirs = other.histories[number]
        row = _row(
            steps[layer],
            f"{number} of blob {blob}",
            Kind.HISTORY,
            mine,
            theirs,
            scale * ROUNDING / tolerances.update,
            tolerances.update,
        )
        if row.verdict == Verdict.DIFFERS and int(blob) in steps[layer].layer.fixed_blobs:
            row = replace(row, cause=STATISTICS)
        yield _excused(row, solver) if label in idle else row
