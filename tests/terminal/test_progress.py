"""Progress: lines where stderr is no terminal, a bar where it is one."""

import io
import sys

import pytest

from caffe_compat.terminal import progress as module
from caffe_compat.terminal.progress import Progress, duration, follow, no_progress


class Clock:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    return clock


def test_a_line_per_minute_with_the_remaining_time(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    with Progress("converting", total=10, unit="layers") as progress:
        for _ in range(10):
            clock.now += 31
            progress.advance()
    assert capsys.readouterr().err.splitlines() == [
        "converting: 2 of 10 layers (20 %), about 4 min left",
        "converting: 4 of 10 layers (40 %), about 3 min left",
        "converting: 6 of 10 layers (60 %), about 2 min left",
        "converting: 8 of 10 layers (80 %), about 62 s left",
        "converting: 10 of 10 layers (100 %), about 0 s left",
    ]


def test_short_work_is_silent(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    assert list(follow([3, 1, 2], "reading", "images")) == [3, 1, 2]
    assert capsys.readouterr().err == ""


def test_work_of_unknown_length(clock: Clock) -> None:
    progress = Progress("reading", unit="records")
    clock.now += 75
    progress.advance(1200)
    assert progress.line() == "reading: 1,200 records in 75 s"
    assert progress.seconds_left() is None


def test_work_that_goes_on_counts_its_own_speed_only(clock: Clock) -> None:
    progress = Progress("training", total=100, unit="iterations", done=50)
    assert progress.line() == "training: 50 of 100 iterations (50 %)"
    clock.now += 10
    progress.move_to(60)
    assert progress.line() == "training: 60 of 100 iterations (60 %), about 40 s left"


def test_nothing_is_shown_when_quiet(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    with no_progress(), Progress("converting", total=2) as progress:
        clock.now += 100
        progress.advance()
    with Progress("converting", total=2, shown=False) as progress:
        clock.now += 100
        progress.advance()
    assert capsys.readouterr().err == ""
    with Progress("converting", total=2) as progress:
        clock.now += 100
        progress.advance()
    assert capsys.readouterr().err == "converting: 1 of 2 steps (50 %), about 2 min left\n"


def test_a_bar_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = io.StringIO()
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setattr(module, "SECONDS_BEFORE_A_BAR", 0)
    with Progress("converting", total=4, unit="layers") as progress:
        for _ in range(4):
            progress.advance()
    assert "converting" in terminal.getvalue()
    assert "/4" in terminal.getvalue()


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.4, "0 s"), (89, "89 s"), (91, "2 min"), (3599, "1 h 0 min"), (7500, "2 h 5 min")]
)
def test_durations(seconds: float, words: str) -> None:
    assert duration(seconds) == words
