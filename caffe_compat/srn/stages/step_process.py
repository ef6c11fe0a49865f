"""The process that trains one step: alone, or one of several that torchrun or mpirun started."""

import os
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from caffe_compat.solvers.actions import environment_of_child
from caffe_compat.srn.stages.stages import Stage

ROOT = Path(__file__).resolve().parents[3]
DEFAULT_PORT = 29500
POLLS, SECONDS_BETWEEN_POLLS = 240, 0.5
_RANKS = ("RANK", "OMPI_COMM_WORLD_RANK")


def is_first_process() -> bool:
    """Whether this process is the only one, or the first of several."""
    return not any(int(os.environ.get(name, "0")) for name in _RANKS)


def environment_of(stage: Stage) -> dict[str, str]:
    """The environment of a step's process: it finds this package in any folder, and ends with its parent.

    The processes of each step meet at a port of their own, so that they do not read what those of the last step left
    at their meeting place.
    """
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), *_paths()])} | environment_of_child()
    environment.pop("TORCHELASTIC_USE_AGENT_STORE", None)
    environment["MASTER_PORT"] = str(int(environment.get("MASTER_PORT", DEFAULT_PORT)) + stage.number)
    return environment


def start_process(command: Sequence[str], stage: Stage) -> "subprocess.Popen[bytes]":
    """Start a step's process in a process group of its own.

    In the parent's group, Ctrl-C would reach it twice: from the terminal, and from the parent that passes signals on.
    The second signal ends a training at once, without a snapshot.
    """
    return subprocess.Popen(command, env=environment_of(stage), process_group=0)


def wait_for(process: "subprocess.Popen[bytes]") -> int:
    """Wait for a step's process; returns its exit status.

    Meanwhile SIGINT, SIGHUP and SIGTERM go on to the process, which snapshots or stops as its flags say. Ctrl-Z stops
    both processes, and a continued parent continues the other one.
    """

    def pass_on(number: int, frame: FrameType | None) -> None:
        process.send_signal(number)

    def pause(number: int, frame: FrameType | None) -> None:
        process.send_signal(signal.SIGSTOP)
        os.kill(os.getpid(), signal.SIGSTOP)
        process.send_signal(signal.SIGCONT)

    handlers = dict.fromkeys((signal.SIGINT, signal.SIGHUP, signal.SIGTERM), pass_on) | {signal.SIGTSTP: pause}
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        return process.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def has_finished(stage: Stage) -> bool:
    """Whether the step's weights are there; further processes wait for the first one, which writes them at the end."""
    for _ in range(0 if is_first_process() else POLLS):
        if stage.is_done:
            break
        time.sleep(SECONDS_BETWEEN_POLLS)
    return stage.is_done


def _paths() -> list[str]:
    return [path for path in (os.environ.get("PYTHONPATH"),) if path]
