import math

import pytest

from caffe_compat.logs.parsing.clock import LogClock


def seconds_between(first, second, year=2015):
    clock = LogClock(year)
    assert clock.read(first)
    assert clock.read(second)
    return clock.seconds()


@pytest.mark.parametrize(
    ("first", "second", "seconds"),
    [
        ("I0520 23:00:23.213491  9848 solver.cpp:280] a", "I0521 00:00:24.000000  9848 solver.cpp:1] b", 3600.786509),
        ("I20260520 23:00:23.213491  9 solver.cpp:280] a", "W20260520 23:00:23.5 9 solver.cpp:1] b", 0.286509),
        ("I1231 23:59:59.000000  9 solver.cpp:280] a", "I0101 00:00:01.500000  9 solver.cpp:1] b", 2.5),
        ("I20251231 23:59:59.000000  9 s.cpp:2] a", "I20260101 00:00:01.250000  9 s.cpp:1] b", 2.25),
        ("I0228 23:59:59.000000  9 s.cpp:2] a", "I0301 00:00:00.000000  9 s.cpp:1] b", 1.0),
        ("I0229 12:00:00.000000  9 s.cpp:2] a", "I0301 12:00:00.000000  9 s.cpp:1] b", 86400.0),
    ],
)
def test_seconds_between_two_lines(first: str, second: str, seconds: float) -> None:
    assert seconds_between(first, second) == pytest.approx(seconds, abs=1e-9)


def test_two_new_years() -> None:
    clock = LogClock(2015)
    for line in ("I1230 00:00:00.000000 1 a", "I0102 00:00:00.000000 1 a", "I0101 00:00:00.000000 1 a"):
        clock.read(line)
    assert clock.year == 2016  # a day less in one month is a clock set back, not a new year
    for line in ("I1130 00:00:00.000000 1 a", "I0101 00:00:00.000000 1 a"):
        clock.read(line)
    assert clock.year == 2017


def test_a_line_without_time_changes_nothing() -> None:
    clock = LogClock(2015)
    clock.read("I0520 23:00:23.000000  9848 solver.cpp:280] a")
    clock.read("I0520 23:00:24.000000  9848 solver.cpp:280] b")
    assert not clock.read("layer {")
    assert clock.seconds() == 1


def test_restart_counts_from_the_last_time() -> None:
    clock = LogClock(2015)
    clock.read("I0520 23:00:23.000000  9848 a")
    clock.read("I0520 23:00:25.000000  9848 b")
    clock.restart()
    clock.read("I0520 23:00:28.000000  9848 c")
    assert clock.seconds() == 3


def test_no_time_at_all() -> None:
    assert math.isnan(LogClock(2015).seconds())
