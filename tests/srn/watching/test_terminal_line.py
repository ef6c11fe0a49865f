import io
import math
import sys

from caffe_compat.srn.watching.events import NetTested, Shown, Start
from caffe_compat.srn.watching.terminal_line import TerminalLine, summary_line

START = Start(0.0, 0, 12000, "net", 96)
SHOWN = Shown(9.0, 3000, 0.31234, 0.001, 120.0, 0.034)


def test_a_display_is_one_line() -> None:
    test = NetTested(8.0, 2000, 0, 0.4, {}, {"mAP": 0.6121, "F1-C": math.nan, "F1-O": 0.7})
    assert summary_line(SHOWN, START, test) == (
        "iteration 3000/12000  |  loss 0.3123  |  lr 0.001  |  120 images/s  |  2:00:00 left  |  waiting for data 3%"
        "  |  test at 2000: loss 0.4, mAP 61.2, F1-O 70.0"
    )


def test_the_first_display_knows_no_speed() -> None:
    first = Shown(9.0, 0, 0.7, 0.01, None, None)
    assert summary_line(first, START, None) == "iteration 0/12000  |  loss 0.7  |  lr 0.01"


def test_only_displays_print(monkeypatch) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    line = TerminalLine()
    for event in (START, NetTested(8.0, 2000, 0, 0.4), NetTested(8.0, 2000, 1, 9.0), SHOWN):
        line.write(event)
    line.close()
    assert stream.getvalue().count("\n") == 1
    assert "test at 2000: loss 0.4" in stream.getvalue()
