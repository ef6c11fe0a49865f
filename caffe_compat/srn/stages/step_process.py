"""The process that trains one step, alone or among those that torchrun or mpirun started."""

import os
import signal
import subprocess
import time
from pathlib import Path
from types import FrameType

from caffe_compat.srn.stages.stages import Stage

ROOT = Path(__file__).resolve().parents[3]
DEFAULT_PORT = 29500
POLLS, SECONDS_BETWEEN_POLLS = 240, 0.5
_RANKS = ("RANK", "OMPI_COMM_WORLD_RANK")


def is_first_process() -> bool:
    """Whether this process is alone, or the first of several."""
    return not any(int(os.environ.get(name, "0")) for name in _RANKS)


def environment_of(stage: Stage) -> dict[str, str]:
    """The environment of a step's process, which finds this package whatever its current folder.

    Each step's processes meet at a port of their own: what the last step's left at its meeting place is not theirs.
    """
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), *_paths()])}
    environment.pop("TORCHELASTIC_USE_AGENT_STORE", None)
    environment["MASTER_PORT"] = str(int(environment.get("MASTER_PORT", DEFAULT_PORT)) + stage.number)
    return environment


def wait_for(process: "subprocess.Popen[bytes]") -> int:
    """Its exit status. Signals go on to the process, which snapshots or stops as its flags say."""

    def pass_on(number: int, frame: FrameType | None) -> None:
        process.send_signal(number)

    before = {number: signal.signal(number, pass_on) for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM)}
    try:
        return process.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def has_finished(stage: Stage) -> bool:
    """Whether the step's weights are there, or soon are: of several processes the first writes them at the end."""
    for _ in range(0 if is_first_process() else POLLS):
        if stage.is_done:
            break
        time.sleep(SECONDS_BETWEEN_POLLS)
    return stage.is_done


def _paths() -> list[str]:
    return [path for path in (os.environ.get("PYTHONPATH"),) if path]
