"""What happens in a run, as values that fit JSON. Times are seconds since the epoch."""

import math
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class Start:
    """A process begins to train, or goes on from a snapshot."""

    time: float
    iteration: int
    max_iter: int
    net: str
    images_per_iteration: int
    environment: dict[str, str] = field(default_factory=dict)
    class_names: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Shown:
    """A display."""

    time: float
    iteration: int
    loss: float
    learning_rate: float
    images_per_second: float | None  # None at the first display, before which nothing was trained
    waiting: float | None  # the share of the time that training waited for data, 0..1
    outputs: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class NetTested:
    """A test of one net."""

    time: float
    iteration: int
    net: int
    loss: float
    outputs: dict[str, float] = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)
    ap: dict[str, list[float]] = field(default_factory=dict)  # by blob of scores, one value per class


@dataclass(frozen=True)
class End:
    """Training ends; `reason` is "done", "stopped" or the error."""

    time: float
    iteration: int
    reason: str


Event = Start | Shown | NetTested | End
KINDS: dict[str, type[Event]] = {"start": Start, "display": Shown, "test": NetTested, "end": End}
_NAMES = {kind: name for name, kind in KINDS.items()}


def as_json(event: Event) -> dict[str, Any]:
    """The event as an object; NaN and infinity, which JSON does not have, become null."""
    return {"event": _NAMES[type(event)], **_finite(asdict(event))}


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _finite(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_finite(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
