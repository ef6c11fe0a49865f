"""Signals ask for actions, and a training ends with the program that started it."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from caffe_compat.solvers import actions
from caffe_compat.solvers.actions import PARENT, Action, actions_of_signals, end_with_parent, environment_of_child


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


CHILD = """
import signal, sys, time
from caffe_compat.solvers.actions import Action, actions_of_signals
from caffe_compat.solvers.actions import end_with_parent
end_with_parent()
with actions_of_signals(Action.STOP, Action.SNAPSHOT) as requested:
    print("ready", flush=True)
    while requested() != Action.STOP:
        time.sleep(0.05)
open(sys.argv[1], "w").write("stopped with time for a snapshot")
"""
PARENT_PROGRAM = """
import os, subprocess, sys
from caffe_compat.solvers.actions import environment_of_child
subprocess.run([sys.executable, "-c", sys.argv[1], sys.argv[2]], env=os.environ | environment_of_child())
"""


def test_a_program_names_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    assert environment_of_child() == {"CAFFE_COMPAT_PARENT": str(os.getpid())}
    monkeypatch.setenv(PARENT, "17")
    assert actions._parent() == 17
    assert PARENT not in os.environ
    assert actions._parent() is None
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "x")
    assert actions._parent() == os.getppid()


def test_a_training_of_a_shell_is_not_watched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(PARENT, raising=False)
    monkeypatch.delenv("TORCHELASTIC_RUN_ID", raising=False)
    monkeypatch.setattr(threading, "Thread", None)
    end_with_parent()


@pytest.mark.slow
def test_a_child_stops_when_its_parent_is_killed(tmp_path: Path) -> None:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", PARENT_PROGRAM, CHILD, str(tmp_path / "stopped")]
    parent = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment)
    assert parent.stdout is not None
    assert parent.stdout.readline() == b"ready\n"
    parent.kill()
    parent.wait()
    parent.stdout.close()
    for _ in range(100):
        if (tmp_path / "stopped").exists():
            break
        time.sleep(0.1)
    assert (tmp_path / "stopped").read_text() == "stopped with time for a snapshot"
