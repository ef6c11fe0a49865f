"""Signals ask for actions."""

import os
import signal
import subprocess
import sys
import time

import pytest

from caffe_compat.solvers import actions
from caffe_compat.solvers.actions import Action, actions_of_signals


def test_signals_ask_once_and_handlers_come_back() -> None:
    before = signal.getsignal(signal.SIGHUP)
    with actions_of_signals(Action.STOP, Action.SNAPSHOT) as requested:
        assert requested() == Action.NONE
        os.kill(os.getpid(), signal.SIGHUP)
        assert [requested(), requested()] == [Action.SNAPSHOT, Action.NONE]
        os.kill(os.getpid(), signal.SIGHUP)
        os.kill(os.getpid(), signal.SIGINT)
        assert [requested(), requested(), requested()] == [Action.STOP, Action.SNAPSHOT, Action.NONE]
    assert signal.getsignal(signal.SIGHUP) is before


def test_an_effect_of_none_swallows_the_signal() -> None:
    with actions_of_signals(Action.NONE, Action.NONE) as requested:
        os.kill(os.getpid(), signal.SIGINT)
        assert requested() == Action.NONE


def test_sigterm_stops_whatever_sigint_does(caplog: pytest.LogCaptureFixture) -> None:
    with actions_of_signals(Action.NONE, Action.NONE) as requested:
        os.kill(os.getpid(), signal.SIGTERM)
        assert requested() == Action.STOP
    assert caplog.messages == ["SIGTERM: stopping after this iteration, with a snapshot; a second signal ends at once"]


def test_the_second_stop_ends_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    ended: list[tuple[int, str]] = []
    monkeypatch.setattr(actions, "end_at_once", lambda number, line: ended.append((number, line)))
    with actions_of_signals(Action.STOP, Action.SNAPSHOT):
        for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
            os.kill(os.getpid(), number)
    assert ended == [(signal.SIGTERM, "SIGTERM again: ended at once, without a snapshot of this moment")]


@pytest.mark.slow
@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_two_signals_end_a_process_that_hangs(number: signal.Signals, status: int) -> None:
    program = (
        "import time\nfrom caffe_compat.solvers.actions import *\n"
        "with actions_of_signals(Action.STOP, Action.SNAPSHOT):\n"
        "    print('ready', flush=True)\n    while True: time.sleep(1)\n"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    process = subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    process.send_signal(number)
    time.sleep(0.3)
    assert process.poll() is None
    process.send_signal(number)
    assert process.wait(10) == status
    assert f"{number.name} again: ended at once" in process.communicate()[1].decode()
