"""The result of a comparison: a verdict for every blob, and the first layer that differs."""

from dataclasses import dataclass, field
from enum import StrEnum

from caffe_compat.parity.measure import Errors


class Verdict(StrEnum):
    """The judgement of one blob; for verdicts in WRONG, the layer itself is wrong."""

    SAME = "same"
    DIFFERS = "differs"  # even if the layer gets the other side's bottoms
    OTHER_SHAPE = "other shape"
    DRIFTS = "drifts"  # no layer differs, but rounding errors add up to more than the tolerance
    INHERITS = "inherits"  # differs only because of an earlier layer
    OTHER_DRAW = "other draw"  # random, with other random numbers on each side
    NOISE = "noise"  # rounding errors of a value that is truly zero
    TIE = "tie"  # another choice between values that are equal up to rounding


AGREEING = frozenset({Verdict.SAME, Verdict.OTHER_DRAW, Verdict.NOISE, Verdict.TIE})
WRONG = frozenset({Verdict.DIFFERS, Verdict.OTHER_SHAPE, Verdict.DRIFTS})


class Kind(StrEnum):
    """The kind of blob that a difference is about, in the order in which a run makes them."""

    TOP = "top"
    STATISTIC = "statistic"
    BOTTOM_GRADIENT = "bottom gradient"
    WEIGHT_GRADIENT = "weight gradient"
    LOSS = "loss"
    UPDATE = "update"
    HISTORY = "history"


@dataclass(frozen=True)
class Difference:
    """The comparison of one blob.

    `net` holds the errors of a whole run. `alone` holds those of the layer on the other side's bottoms, None if these
    are unknown. `since` names earlier layers whose tops the other side does not show; the cause may be in them.
    """

    layer: str
    type: str
    blob: str
    kind: Kind
    shape: tuple[int, ...]
    other_shape: tuple[int, ...]
    net: Errors
    alone: Errors | None
    verdict: Verdict
    since: tuple[str, ...] = ()
    cause: str = ""
    is_zero: bool = False  # only zeros on both sides, which proves nothing

    @property
    def is_wrong(self) -> bool:
        """Whether the layer itself is wrong."""
        return self.verdict in WRONG

    @property
    def agrees(self) -> bool:
        """Whether the blob agrees on both sides."""
        return self.verdict in AGREEING


@dataclass
class Comparison:
    """The differences of all blobs that both runs have, in the order of the run, and notes about the other side.

    `layers` names the net's layers that compute something, in order; empty for a training, whose rows are weights.
    """

    against: str
    differences: list[Difference]
    notes: list[str] = field(default_factory=list)
    not_compared: list[str] = field(default_factory=list)
    layers: list[str] = field(default_factory=list)
    from_fillers: bool = False  # both sides ran with the weights that fillers drew
    unfilled_layers: list[str] = field(default_factory=list)  # layers that the weights file left to their fillers

    def _repr_html_(self) -> str:
        from caffe_compat.pages.notebook import notebook_table  # late imports: only notebooks need them
        from caffe_compat.parity.text_table import HEADINGS, cells, conclusion

        rows = [cells(difference) for difference in self.differences]
        return notebook_table(f"Parity with {self.against}", conclusion(self), HEADINGS, rows, marked=Verdict.DIFFERS)

    @property
    def unseen_layers(self) -> list[str]:
        """The layers without a row, neither their own nor one of a later layer into which they were folded."""
        seen = {name for row in self.differences for name in (row.layer, *row.since)}
        return [name for name in self.layers if name not in seen]

    @property
    def zero_layers(self) -> list[str]:
        """The layers whose tops were only zeros on both sides."""
        tops = [row for row in self.differences if row.kind is Kind.TOP]
        others = {row.layer for row in tops if not row.is_zero}
        return [name for name in self.layers if name not in others and name in {row.layer for row in tops}]

    @property
    def first_wrong(self) -> Difference | None:
        """The difference of the first wrong layer, or None; later layers may differ only because of this layer."""
        return next((difference for difference in self.differences if difference.is_wrong), None)

    @property
    def max_error(self) -> float:
        """The largest relative error of a whole run over all blobs without NOISE and TIE; inf if there are none."""
        counted = [row.net.relative for row in self.differences if row.verdict not in (Verdict.NOISE, Verdict.TIE)]
        return max(counted, default=float("inf"))

    @property
    def agrees(self) -> bool:
        """Whether all compared blobs agree, and at least one was not only zeros."""
        proved = not self.layers or len(self.unseen_layers) + len(self.zero_layers) < len(self.layers)
        return bool(self.differences) and proved and all(difference.agrees for difference in self.differences)
