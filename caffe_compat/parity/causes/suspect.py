"""A layer that differs, with what its cause is to be found from."""

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from caffe_compat.graph.step import Step
from caffe_compat.parity.causes.trial import Target, Trial
from caffe_compat.parity.recording import Array, Recorded, Recording


@dataclass(frozen=True)
class Suspect:
    """The layer as it is, on the bottoms it ran on; what the other side gave; its weights, if known."""

    as_is: Trial
    theirs: Recorded
    their_weights: dict[int, Array]

    @classmethod
    def of_top(
        cls, step: Step, position: int, theirs: Recorded, other: Recording, before: Mapping[str, Tensor]
    ) -> "Suspect":
        """A suspect whose top differs; `before` holds running statistics as they were before forward."""
        return cls._of(step, Target("top", position), theirs, other, before)

    @classmethod
    def of_data(cls, step: Step, values: Tensor, theirs: Recorded) -> "Suspect":
        """An input, or what a data layer read: only the values can be looked at."""
        trial = Trial(step.layer.spec.parameter, step.layer.phase, (), (), Target("top", 0), given=values)
        return cls(trial, theirs, {})

    @classmethod
    def of_statistic(
        cls, step: Step, number: int, theirs: Recorded, other: Recording, before: Mapping[str, Tensor]
    ) -> "Suspect":
        """A suspect whose running statistic differs after forward."""
        return cls._of(step, Target("blob", number), theirs, other, before)

    @classmethod
    def _of(
        cls, step: Step, target: Target, theirs: Recorded, other: Recording, before: Mapping[str, Tensor]
    ) -> "Suspect":
        layer = step.layer
        blobs = tuple(before.get(f"{layer.name}/{n}", blob.detach()) for n, blob in enumerate(layer.blobs))
        bottoms = tuple(bottom.detach() for bottom in step.inputs)
        weights = {n: w for n in range(len(blobs)) if (w := other.weights.get(f"{layer.name}/{n}")) is not None}
        return cls(Trial(layer.spec.parameter, layer.phase, bottoms, blobs, target), theirs, weights)
