"""Line charts as the numbers of an SVG, which the template run.html draws in the colours of the page."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 560, 230
LEFT, RIGHT, TOP, BOTTOM = 56, 12, 12, 26
MOST_POINTS = 400
TICKS = 5


@dataclass(frozen=True)
class Series:
    """One line: its name and its points (iteration, value), of which undefined ones are left out."""

    name: str
    points: Sequence[tuple[float, float]]

    @property
    def known(self) -> list[tuple[float, float]]:
        """The points whose value is a finite number."""
        return [(x, y) for x, y in self.points if math.isfinite(y)]


@dataclass(frozen=True)
class Line:
    """A line in the chart's own coordinates, and its last value in words."""

    name: str
    colour: int  # number of a colour of the page
    path: str
    last: str
    end: tuple[float, float]


@dataclass(frozen=True)
class Chart:
    """A chart that is ready to be drawn; ticks are (place, text)."""

    title: str
    lines: Sequence[Line]
    x_ticks: Sequence[tuple[float, str]]
    y_ticks: Sequence[tuple[float, str]]
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    right: int = WIDTH - RIGHT
    top: int = TOP
    bottom: int = HEIGHT - BOTTOM


def line_chart(title: str, series: Iterable[Series], logarithmic: bool = False, whole: bool = False) -> Chart | None:
    """A chart of all series with a known point; None without one.

    `logarithmic` is for positive values over several powers of ten. `whole` starts the y axis at 0.
    """
    shown = [each for each in series if each.known]
    if not shown:
        return None
    points = [point for each in shown for point in each.known]
    scale = _log if logarithmic else float
    first, last = min(x for x, _ in points), max(x for x, _ in points)
    x_ticks = [tick for tick in _ticks(first, last) if first <= tick <= last] or [first]
    values = [scale(y) for _, y in points if not logarithmic or y > 0] or [0.0]
    y_ticks = _ticks(min(0.0, *values) if whole else min(values), max(values))
    x_of = _place(first, last, LEFT, WIDTH - RIGHT)
    y_of = _place(y_ticks[0], y_ticks[-1], HEIGHT - BOTTOM, TOP)
    lines = []
    for number, each in enumerate(shown):
        drawn = [(x_of(x), y_of(scale(y))) for x, y in _thinned(each.known) if not logarithmic or y > 0]
        if drawn:
            lines.append(Line(each.name, number, _path(drawn), f"{each.known[-1][1]:.4g}", drawn[-1]))
    label = (lambda tick: f"{10**tick:.0e}") if logarithmic else _short
    return Chart(
        title, lines, [(x_of(tick), _short(tick)) for tick in x_ticks], [(y_of(tick), label(tick)) for tick in y_ticks]
    )


def sparkline(values: Sequence[float], width: int = 90, height: int = 18) -> str:
    """The path of a small line through values in 0..1; undefined ones are left out."""
    step = width / max(1, len(values) - 1)
    known = [(place * step, height - 2 - value * (height - 4)) for place, value in enumerate(values)
             if math.isfinite(value)]  # fmt: skip
    return _path(known)


def _log(value: float) -> float:
    return math.log10(value) if value > 0 else 0.0


def _place(first: float, last: float, start: float, end: float) -> Callable[[float], float]:
    """Where a value stands on an axis that has `first` at `start` and `last` at `end`, in the SVG's units."""
    factor = (end - start) / (last - first or 1.0)
    return lambda value: start + (value - first) * factor


def _ticks(low: float, high: float) -> list[float]:
    """Round numbers at even distances that enclose the range; at least two."""
    span = high - low or abs(high) or 1.0
    rough = span / TICKS
    power = 10 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * 0.999)
    first = math.floor(low / step + 1e-9)
    last = max(first + 1, math.ceil(high / step - 1e-9))
    return [index * step for index in range(first, last + 1)]


def _thinned(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """At most MOST_POINTS points: the means of neighbours, and the last point as it is."""
    size = -(-len(points) // MOST_POINTS)
    groups = [points[first : first + size] for first in range(0, len(points), size)]
    means = [(sum(x for x, _ in group) / len(group), sum(y for _, y in group) / len(group)) for group in groups]
    return [*means[:-1], points[-1]]


def _path(points: Sequence[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{x:.1f},{y:.1f}" for x, y in points) if points else ""


def _short(value: float) -> str:
    return f"{value / 1000:g}k" if abs(value) >= 10_000 else f"{round(value, 10):g}"
