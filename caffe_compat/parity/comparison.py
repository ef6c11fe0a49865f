"""What a comparison found: a verdict for every blob, and the first layer that differs."""

from dataclasses import dataclass, field
from enum import StrEnum

from caffe_compat.parity.measure import Errors


class Verdict(StrEnum):
    """What is said of one blob; the layer itself is wrong in those of WRONG."""

    SAME = "same"
    DIFFERS = "differs"  # also when the layer is fed with the other side's bottoms
    OTHER_SHAPE = "other shape"
    DRIFTS = "drifts"  # no layer differs, but their rounding errors add up to more than the tolerance
    INHERITS = "inherits"  # only because of a layer before it
    OTHER_DRAW = "other draw"  # random on both sides
    NOISE = "noise"  # what is compared is the rounding of a true zero
    TIE = "tie"  # a choice between values that are equal to rounding


AGREEING = frozenset({Verdict.SAME, Verdict.OTHER_DRAW, Verdict.NOISE, Verdict.TIE})
WRONG = frozenset({Verdict.DIFFERS, Verdict.OTHER_SHAPE, Verdict.DRIFTS})


class Kind(StrEnum):
    """What kind of blob a difference is about, in the order in which a run makes them."""

    TOP = "top"
    STATISTIC = "statistic"
    BOTTOM_GRADIENT = "bottom gradient"
    WEIGHT_GRADIENT = "weight gradient"
    LOSS = "loss"
    UPDATE = "update"
    HISTORY = "history"


@dataclass(frozen=True)
class Difference:
    """One blob on both sides.

    `net` are the errors of a whole run, `alone` those of the layer fed with the other side's bottoms (None where these
    are not known); `since` names layers before it whose tops the other side does not show: they may be meant.
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
    is_zero: bool = False  # nothing but zeros on both sides, which proves nothing

    @property
    def is_wrong(self) -> bool:
        """Whether this layer itself is to be looked at."""
        return self.verdict in WRONG

    @property
    def agrees(self) -> bool:
        """Whether the blob is the same on both sides."""
        return self.verdict in AGREEING


@dataclass
class Comparison:
    """All that both runs have, in the order in which it was computed, and what was said about the other side.

    `layers` are the net's layers that compute something, in order; empty for a training, whose rows are weights.
    """

    against: str
    differences: list[Difference]
    notes: list[str] = field(default_factory=list)
    not_compared: list[str] = field(default_factory=list)
    layers: list[str] = field(default_factory=list)

    @property
    def unseen_layers(self) -> list[str]:
        """The layers that no row is about, nor a row of a layer behind them that they were folded into."""
        seen = {name for row in self.differences for name in (row.layer, *row.since)}
        return [name for name in self.layers if name not in seen]

    @property
    def zero_layers(self) -> list[str]:
        """The layers that gave nothing but zeros on both sides."""
        tops = [row for row in self.differences if row.kind is Kind.TOP]
        others = {row.layer for row in tops if not row.is_zero}
        return [name for name in self.layers if name not in others and name in {row.layer for row in tops}]

    @property
    def first_wrong(self) -> Difference | None:
        """The first layer that differs itself; later ones may differ only because of it."""
        return next((difference for difference in self.differences if difference.is_wrong), None)

    @property
    def max_error(self) -> float:
        """The largest relative error of a whole run over all blobs."""
        counted = [row.net.relative for row in self.differences if row.verdict not in (Verdict.NOISE, Verdict.TIE)]
        return max(counted, default=float("inf"))

    @property
    def agrees(self) -> bool:
        """Whether something was compared, more than zeros, and all of it is the same."""
        proved = not self.layers or len(self.unseen_layers) + len(self.zero_layers) < len(self.layers)
        return bool(self.differences) and proved and all(difference.agrees for difference in self.differences)
