"""A training ends with the program that started it."""

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from caffe_compat.solvers import parent_watch
from caffe_compat.solvers.parent_watch import PARENT, end_with_parent, environment_of_child

CHILD = """
import signal, sys, time
from caffe_compat.solvers.actions import Action, actions_of_signals
from caffe_compat.solvers.parent_watch import end_with_parent
end_with_parent()
with actions_of_signals(Action.STOP, Action.SNAPSHOT) as requested:
    print("ready", flush=True)
    while requested() != Action.STOP:
        time.sleep(0.05)
open(sys.argv[1], "w").write("stopped with time for a snapshot")
"""
PARENT_PROGRAM = """
import os, subprocess, sys
from caffe_compat.solvers.parent_watch import environment_of_child
subprocess.run([sys.executable, "-c", sys.argv[1], sys.argv[2]], env=os.environ | environment_of_child())
"""


def test_a_program_names_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    assert environment_of_child() == {"CAFFE_COMPAT_PARENT": str(os.getpid())}
    monkeypatch.setenv(PARENT, "17")
    assert parent_watch._parent() == 17
    assert PARENT not in os.environ
    assert parent_watch._parent() is None
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "x")
    assert parent_watch._parent() == os.getppid()


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
