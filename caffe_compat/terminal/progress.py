"""Progress of work that takes more than some seconds: a bar on a terminal, a line now and then elsewhere.

    with Progress("converting", total=len(layers), unit="layers") as progress:
        for layer in layers:
            convert(layer)
            progress.advance()

    for image in follow(images, "reading", unit="images"):
        ...

All of it goes to stderr, so that the results on stdout can be piped. `no_progress()` is what `--quiet` uses.
"""

import sys
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from types import TracebackType
from typing import Self, TypeVar

from tqdm import tqdm

#: Shorter work shows nothing.
SECONDS_BEFORE_A_BAR = 1.0
SECONDS_BETWEEN_LINES = 60.0

Item = TypeVar("Item")

_quiet: ContextVar[bool] = ContextVar("quiet", default=False)


@contextmanager
def no_progress() -> Iterator[None]:
    """While the block runs, nothing shows its progress."""
    token = _quiet.set(True)
    try:
        yield
    finally:
        _quiet.reset(token)


def is_quiet() -> bool:
    """Whether a block of `no_progress` runs."""
    return _quiet.get()


class Progress:
    """How far one piece of work is, with the remaining time. A context manager.

    `what` names the work, `total` is its number of steps (None: not known), `done` how many are done at the start,
    `seconds_between_lines` how often a line is printed where stderr is no terminal. `shown=False` shows nothing.
    """

    def __init__(
        self,
        what: str,
        total: int | None = None,
        unit: str = "steps",
        done: int = 0,
        seconds_between_lines: float = SECONDS_BETWEEN_LINES,
        shown: bool = True,
    ) -> None:
        self.what = what
        self.total = total
        self.unit = unit
        self.done = self.first = done
        self.seconds_between_lines = seconds_between_lines
        self.shown = shown and not _quiet.get()
        self.started = self.last_line = time.monotonic()
        self._bar: tqdm[None] | None = None

    def __enter__(self) -> Self:
        self.started = self.last_line = time.monotonic()
        if self.shown and sys.stderr.isatty():
            self._bar = tqdm(
                total=self.total, initial=self.done, desc=self.what, unit=f" {self.unit}", file=sys.stderr, leave=False,
                delay=SECONDS_BEFORE_A_BAR, dynamic_ncols=True,
            )  # fmt: skip
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, frames: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.close()

    def advance(self, steps: int = 1) -> None:
        """`steps` more are done."""
        self.done += steps
        if self._bar is not None:
            self._bar.update(steps)
        elif self.shown and time.monotonic() - self.last_line >= self.seconds_between_lines:
            self.last_line = time.monotonic()
            sys.stderr.write(f"{self.line()}\n")
            sys.stderr.flush()

    def move_to(self, done: int) -> None:
        """`done` steps are done in all."""
        self.advance(done - self.done)

    def line(self) -> str:
        """Where the work is: `converting: 45 of 154 layers (29 %), about 2 min left`."""
        if self.total is None:
            return f"{self.what}: {self.done:,} {self.unit} in {duration(time.monotonic() - self.started)}"
        share = f"{self.done / max(self.total, 1):.0%}".replace("%", " %")
        counted = f"{self.what}: {self.done:,} of {self.total:,} {self.unit} ({share})"
        left = self.seconds_left()
        return counted if left is None else f"{counted}, about {duration(left)} left"

    def seconds_left(self) -> float | None:
        """The remaining time at the speed so far; None where nothing is known yet."""
        done = self.done - self.first
        if self.total is None or done <= 0:
            return None
        return (time.monotonic() - self.started) / done * (self.total - self.done)


def follow(
    items: Collection[Item], what: str, unit: str = "steps", seconds_between_lines: float = SECONDS_BETWEEN_LINES
) -> Iterator[Item]:
    """The items, one after the other, with the progress through them; see `Progress`."""
    with Progress(what, len(items), unit, seconds_between_lines=seconds_between_lines) as progress:
        for item in items:
            yield item
            progress.advance()


def say(line: str) -> None:
    """Prints a line on stdout at once, above a bar, where one is shown."""
    tqdm.write(line, file=sys.stdout)
    sys.stdout.flush()


def duration(seconds: float) -> str:
    """A time span in words: `45 s`, `3 min`, `2 h 5 min`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
