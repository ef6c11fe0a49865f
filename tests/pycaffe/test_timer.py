"""The stopwatch."""

import time

from caffe_compat.pycaffe.timer import Timer


def test_it_measures_milliseconds() -> None:
    timer = Timer()
    timer.start()
    time.sleep(0.02)
    timer.stop()
    once = timer.ms
    assert once >= 20
    time.sleep(0.01)
    timer.stop()
    assert timer.ms == once


def test_reading_stops_it() -> None:
    timer = Timer()
    timer.start()
    assert timer.ms == timer.ms > 0


def test_without_a_start_it_is_zero() -> None:
    assert Timer().ms == 0
