"""A bar where stderr is a terminal."""

import io
import sys

import pytest

from caffe_compat.solvers.run_training import progress_bar
from caffe_compat.terminal import progress
from tests.solvers.least_squares import make_solver


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("stream", "shown"), [(Terminal(), True), (io.StringIO(), False)])
def test_a_bar_on_a_terminal_only(stream: io.StringIO, shown: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setattr(progress, "SECONDS_BEFORE_A_BAR", 0)
    solver = make_solver("base_lr: 0.01 max_iter: 4")
    with progress_bar(solver):
        solver.step(4)
    assert ("| 0/4 [" in stream.getvalue()) is shown
    assert solver.callbacks == []
