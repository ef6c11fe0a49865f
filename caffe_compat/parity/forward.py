"""Compares every top, and the running statistics, of a forward pass."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
from torch import Tensor

from caffe_compat.graph.comparing import is_near_tie, jumps
from caffe_compat.graph.wiring import Step
from caffe_compat.net.net import Net
from caffe_compat.parity.batch_statistics import statistics_of
from caffe_compat.parity.causes.find import find_cause
from caffe_compat.parity.causes.suspect import Suspect
from caffe_compat.parity.comparison import Difference, Kind, Verdict
from caffe_compat.parity.judge import Evidence, Judge
from caffe_compat.parity.measure import Errors, Tolerances, errors_between
from caffe_compat.parity.random_layers import dropouts_follow, is_random
from caffe_compat.parity.recording import Array, Recorded, Recording
from caffe_compat.parity.replay import Replay, array_of, is_inserted_split, value_of, weights_kept

#: Largest number of wrong layers whose cause is searched; a search runs the layer some hundred times.
LARGEST_NUMBER_OF_CAUSES = 8

BlobKey = tuple[int, str]


@dataclass
class ForwardComparison:
    """Compares a net with a recording; afterwards `unseen` lists the tops that the other side did not record."""

    net: Net
    other: Recording
    inputs: Mapping[str, Array]
    tolerances: Tolerances
    judge: Judge = field(default_factory=Judge)
    unseen: list[str] = field(default_factory=list)
    _origins: dict[str, tuple[str, ...]] = field(default_factory=dict)
    _causes: int = 0
    _before: dict[str, Tensor] = field(default_factory=dict)

    def run(self) -> list[Difference]:
        """Returns the differences from two forward passes: one on our own tops, one on the other side's."""
        with dropouts_follow(self.net, self.other):
            with weights_kept(self.net):
                whole = self._errors_of_whole_run()
                statistics = self._errors_of_statistics(self.net.steps)
            with weights_kept(self.net):
                return list(self._rows(whole, statistics))

    def _errors_of_whole_run(self) -> dict[BlobKey, Errors]:
        replay = Replay(self.net, self.other, self.inputs, follows=False)
        return {
            (index, top): errors_between(value_of(self.net, top), theirs)
            for index, step in replay.forward()
            for top in step.tops
            if (theirs := replay.theirs(index, top)) is not None
        }

    def _rows(self, whole: dict[BlobKey, Errors], statistics: dict[str, Errors]) -> Iterator[Difference]:
        self._before = {key: blob.detach().clone() for key, blob in statistics_of(self.net.steps)}
        replay = Replay(self.net, self.other, self.inputs, follows=True)
        for index, step in replay.forward():
            since = self._since(step)
            for position, top in enumerate(step.tops):
                theirs = replay.theirs(index, top)
                if is_inserted_split(step) or theirs is None or self._is_fed(step, top):
                    self._pass_on(step, top, theirs, since)
                else:
                    failure = replay.failed.get(index, "")
                    yield self._row(step, position, theirs, whole[index, top], since, failure)
            yield from self._statistic_rows(step, statistics, since)

    def _is_fed(self, step: Step, top: str) -> bool:
        return f"{step.layer.name}/{top}" in self.other.fed

    def _since(self, step: Step) -> tuple[str, ...]:
        known = dict.fromkeys(layer for bottom in step.bottoms for layer in self._origins.get(bottom, ()))
        return tuple(known)

    def _pass_on(self, step: Step, top: str, theirs: Recorded | None, since: tuple[str, ...]) -> None:
        self.judge.pass_on(step.bottoms, [top])
        if is_inserted_split(step):
            self._origins[top] = since
            return
        self._origins[top] = () if step.layer.is_input or self._is_fed(step, top) else (*since, step.layer.name)
        if self._is_fed(step, top) or (theirs is None and not step.layer.is_input):
            self.unseen.append(f"{step.layer.name} -> {top}")

    def _row(
        self, step: Step, position: int, theirs: Recorded, whole: Errors, since: tuple[str, ...], failure: str
    ) -> Difference:
        top = step.tops[position]
        ours = value_of(self.net, top)
        their_shape = theirs.shape if isinstance(theirs, np.ndarray) else ours.shape
        alone = None if failure else errors_between(ours, theirs)
        evidence = Evidence(
            net=whole,
            alone=alone,
            layer_limit=self.tolerances.layer,
            net_limit=self.tolerances.net,
            is_pure=not since,
            same_shape=not failure and ours.size == int(np.prod(their_shape)),
            is_random=is_random(step),
            is_discrete=jumps(step, position),
            is_tie=not failure and self._is_tie(step, position, theirs, alone, is_pure=not since),
        )
        verdict = self.judge.verdict(evidence, step.bottoms, [top])
        is_followed = isinstance(theirs, np.ndarray)
        self._origins[top] = () if is_followed else (*since, step.layer.name)
        cause = failure or self._cause(step, position, theirs, verdict)
        spec = step.layer.spec
        is_zero = isinstance(theirs, np.ndarray) and not theirs.any() and not ours.any()
        return Difference(
            spec.name, spec.type, top, Kind.TOP, ours.shape, their_shape, whole, alone, verdict, since, cause, is_zero
        )

    def _is_tie(self, step: Step, position: int, theirs: Recorded, alone: Errors | None, is_pure: bool) -> bool:
        """Whether a top differs only by a choice between values that are equal up to rounding."""
        limit = self.tolerances.layer if is_pure else self.tolerances.net
        if not jumps(step, position) or alone is None or alone.relative <= limit or not isinstance(theirs, np.ndarray):
            return False
        return is_near_tie(step.layer, step.inputs, position, theirs, limit)

    def _cause(self, step: Step, position: int, theirs: Recorded, verdict: Verdict) -> str:
        if verdict not in (Verdict.DIFFERS, Verdict.OTHER_SHAPE) or self._causes >= LARGEST_NUMBER_OF_CAUSES:
            return ""
        self._causes += 1
        if step.bottoms:
            suspect = Suspect.of_top(step, position, theirs, self.other, self._before)
        else:
            suspect = Suspect.of_data(step, self.net.blobs[step.tops[position]].value.tensor(), theirs)
        return find_cause(suspect, self.tolerances.layer)

    def _errors_of_statistics(self, steps: list[Step]) -> dict[str, Errors]:
        return {
            key: errors_between(array_of(blob), self.other.weights_after[key])
            for key, blob in statistics_of(steps)
            if key in self.other.weights_after
        }

    def _statistic_rows(self, step: Step, whole: dict[str, Errors], since: tuple[str, ...]) -> Iterator[Difference]:
        spec = step.layer.spec
        for key, alone in self._errors_of_statistics([step]).items():
            number = int(key.rpartition("/")[2])
            theirs = self.other.weights_after[key]
            limits = self.tolerances.layer, self.tolerances.net
            evidence = Evidence(whole[key], alone, *limits, is_pure=not since, same_shape=True)
            verdict = self.judge.verdict(evidence, step.bottoms, [key])
            cause = ""
            if verdict == Verdict.DIFFERS and self._causes < LARGEST_NUMBER_OF_CAUSES:
                self._causes += 1
                suspect = Suspect.of_statistic(step, number, theirs, self.other, self._before)
                cause = find_cause(suspect, self.tolerances.layer)
            shape = tuple(step.layer.blobs[number].shape)
            yield Difference(
                spec.name, spec.type, f"blob {number}", Kind.STATISTIC, shape, theirs.shape,
                whole[key], alone, verdict, since, cause,
            )  # fmt: skip
