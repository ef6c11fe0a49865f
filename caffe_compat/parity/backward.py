"""Compares the gradients of every bottom and weight."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np

from caffe_compat.errors import DataError
from caffe_compat.graph.wiring import Step
from caffe_compat.net.blob import gradient_of as weight_gradient_of
from caffe_compat.net.gradients import find_needs
from caffe_compat.net.net import Net
from caffe_compat.parity.batch_statistics import cancelled_biases
from caffe_compat.parity.causes.gradients import find_gradient_cause
from caffe_compat.parity.comparison import Difference, Kind, Verdict
from caffe_compat.parity.judge import Evidence, Judge
from caffe_compat.parity.measure import FLOOR, Errors, Tolerances, errors_between
from caffe_compat.parity.random_layers import dropouts_follow
from caffe_compat.parity.recording import Array, Recording
from caffe_compat.parity.replay import Replay, array_of, gradient_of, is_inserted_split, weights_kept

#: Gradients below this fraction of the top's gradients are sums of terms that cancel, so only rounding is left.
LARGEST_REST = 1e-2
NOISE = "a bias before a normalisation by the batch, whose mean takes it away: its true gradient is zero"


@dataclass(frozen=True)
class Gradient:
    """One gradient after a layer's backward, ours and theirs, and the floor below which it counts as zero."""

    step: Step
    blob: str
    kind: Kind
    ours: Array
    theirs: Array
    floor: float

    @property
    def errors(self) -> Errors:
        return errors_between(self.ours, self.theirs, self.floor)


def compare_backward(
    net: Net, other: Recording, inputs: Mapping[str, Array], tolerances: Tolerances
) -> list[Difference]:
    """Returns the differences of all gradients, from two passes of forward and backward.

    The first pass uses our own values; in the second, each layer starts from the other side's values.
    """
    with dropouts_follow(net, other), weights_kept(net), _forced_alike(net, other):
        free, led = (Replay(net, other, inputs, follows, keeps_graph=True) for follows in (False, True))
        whole = {_key(gradient): gradient.errors for gradient in _gradients(free)}
        judge, cancelled = Judge(), cancelled_biases(net.steps)
        rows = [
            _difference(gradient, whole[_key(gradient)], judge, tolerances)
            for gradient in _gradients(led)
            if _key(gradient) in whole
        ]
    if not rows:
        raise DataError(
            f"{other.source}: expected gradients of net '{net.name}', found none of a blob that ours has one of; "
            "record with --backward, and where gradients cannot be forced a net with a loss"
        )
    return [_excused(row) if _label(row) in cancelled and row.is_wrong else row for row in rows]


@contextmanager
def _forced_alike(net: Net, other: Recording) -> Iterator[None]:
    """Turns off force_backward in the block if the other side could not force gradients, so that both sides agree."""
    if other.is_forced:
        yield
        return
    layers, loss_weights = [step.layer for step in net.steps], [step.loss_weights for step in net.steps]
    net.apply_needs(find_needs(layers, loss_weights, force_backward=False))
    try:
        yield
    finally:
        net.apply_needs(find_needs(layers, loss_weights, net.parameter.force_backward))


def _label(row: Difference) -> str:
    return f"{row.layer}/{row.blob.removeprefix('blob ')}" if row.kind is Kind.WEIGHT_GRADIENT else ""


def _excused(row: Difference) -> Difference:
    return replace(row, verdict=Verdict.NOISE, cause=NOISE)


def _key(gradient: Gradient) -> tuple[str, str, Kind]:
    return gradient.step.layer.name, gradient.blob, gradient.kind


def _gradients(replay: Replay) -> Iterator[Gradient]:
    """Yields gradients in the order of backward; those of shared weights come last, since they are sums."""
    for _ in replay.forward():
        pass
    net, shared, floors = replay.net, _sharers(replay.net), {}
    for index, step in replay.backward():
        if is_inserted_split(step):
            continue
        floors[step.layer.name] = floor = _floor(net, step)
        for number, blob in enumerate(step.layer.blobs):
            if id(blob) not in shared:
                yield from _weight_gradient([(step, number)], replay.other, floor)
        for bottom, wanted in zip(step.bottoms, step.propagate_down, strict=True):
            theirs = replay.their_gradient(index, bottom)
            if wanted and theirs is not None:
                yield Gradient(step, bottom, Kind.BOTTOM_GRADIENT, gradient_of(net, bottom), theirs, floor)
    for sharers in shared.values():
        floor = max(floors.get(step.layer.name, FLOOR) for step, _ in sharers)
        yield from _weight_gradient(sharers, replay.other, floor)


Owner = tuple[Step, int]


def _sharers(net: Net) -> dict[int, list[Owner]]:
    """Returns, by id of the weight, the (step, blob number) pairs of layers that share it."""
    owners: dict[int, list[Owner]] = {}
    for step in net.steps:
        for number, blob in enumerate(step.layer.blobs):
            owners.setdefault(id(blob), []).append((step, number))
    return {blob: sharers for blob, sharers in owners.items() if len(sharers) > 1}


def _weight_gradient(owners: list[Owner], other: Recording, floor: float) -> Iterator[Gradient]:
    step, number = owners[0]
    theirs = [other.weight_gradients.get(f"{owner.layer.name}/{place}") for owner, place in owners]
    recorded = [values for values in theirs if values is not None]
    if not recorded or not any(owner.weights_need[place] for owner, place in owners):
        return
    # In BVLC's Caffe each sharer shows the whole sum; in the fork each shows only its own part.
    parts = recorded[:1] if all(np.array_equal(recorded[0], part) for part in recorded) else recorded
    ours = array_of(weight_gradient_of(step.layer.blobs[number]))
    total = np.sum([part.reshape(ours.shape) for part in parts], axis=0)
    yield Gradient(step, f"blob {number}", Kind.WEIGHT_GRADIENT, ours, total, floor)


def _floor(net: Net, step: Step) -> float:
    # An in-place layer has overwritten its top's gradient with its bottom's, which has the same order of size.
    return max([FLOOR, *(LARGEST_REST * float(np.abs(gradient_of(net, top)).max(initial=0.0)) for top in step.tops)])


def _difference(gradient: Gradient, whole: Errors, judge: Judge, tolerances: Tolerances) -> Difference:
    step, alone = gradient.step, gradient.errors
    evidence = Evidence(
        net=whole,
        alone=alone,
        layer_limit=tolerances.layer_gradient,
        net_limit=tolerances.net_gradient,
        is_pure=True,
        same_shape=gradient.ours.size == gradient.theirs.size,
    )
    targets = [gradient.blob] if gradient.kind is Kind.BOTTOM_GRADIENT else []
    verdict = judge.verdict(evidence, step.tops, targets)
    cause = find_gradient_cause(step, gradient.ours, gradient.theirs) if verdict == Verdict.DIFFERS else ""
    return Difference(
        step.layer.name, step.layer.spec.type, gradient.blob, gradient.kind, gradient.ours.shape, gradient.theirs.shape,
        whole, alone, verdict, cause=cause,
    )  # fmt: skip
