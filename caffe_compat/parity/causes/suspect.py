"""Suspect: a layer that differs, with the data from which the cause can be found."""

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from caffe_compat.graph.wiring import Step
from caffe_compat.parity.causes.trial import ComparedResult, Trial
from caffe_compat.parity.recording import Array, Recorded, Recording


@dataclass(frozen=True)
class Suspect:
    """A layer with its bottoms, the other side's result, and the other side's weights if known."""

    as_is: Trial
    theirs: Recorded
    their_weights: dict[int, Array]

    @classmethod
    def of_top(
        cls, step: Step, position: int, theirs: Recorded, other: Recording, before: Mapping[str, Tensor]
    ) -> "Suspect":
        """Returns a suspect whose top differs; `before` holds running statistics before the forward pass."""
        return cls._of(step, ComparedResult("top", position), theirs, other, before)

    @classmethod
    def of_data(cls, step: Step, values: Tensor, theirs: Recorded) -> "Suspect":
        """Returns a suspect for an input or a data layer's top, of which only the values are known."""
        trial = Trial(step.layer.spec.parameter, step.layer.phase, (), (), ComparedResult("top", 0), given=values)
        return cls(trial, theirs, {})

    @classmethod
    def of_statistic(
        cls, step: Step, number: int, theirs: Recorded, other: Recording, before: Mapping[str, Tensor]
    ) -> "Suspect":
        """Returns a suspect whose running statistic differs after the forward pass."""
        return cls._of(step, ComparedResult("blob", number), theirs, other, before)

    @classmethod
    def _of(
        cls, step: Step, target: ComparedResult, theirs: Recorded, other: Recording, before: Mapping[str, Tensor]
    ) -> "Suspect":
        layer = step.layer
        blobs = tuple(before.get(f"{layer.name}/{n}", blob.detach()) for n, blob in enumerate(layer.blobs))
        bottoms = tuple(bottom.detach() for bottom in step.inputs)
        weights = {n: w for n in range(len(blobs)) if (w := other.weights.get(f"{layer.name}/{n}")) is not None}
        return cls(Trial(layer.spec.parameter, layer.phase, bottoms, blobs, target), theirs, weights)
