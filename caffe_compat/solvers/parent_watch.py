"""Ends a training whose parent is gone: train-stages, a launcher of several processes, or torchrun.

A killed parent can pass no signal on. Without this watch its trainings would go on and write into the folder that the
user's next run writes into.
"""

import os
import signal
import threading
import time

from caffe_compat.solvers.actions import ENDED_BY_SIGNAL, STOP_ASKED

#: Names the parent in a child's environment; a training that a shell starts has no such parent and outlives it.
PARENT = "CAFFE_COMPAT_PARENT"
_TORCHRUN = "TORCHELASTIC_RUN_ID"
POLL_SECONDS = 0.5
#: A child without a parent has this long for its last snapshot.
GRACE_SECONDS = 60.0


def environment_of_child() -> dict[str, str]:
    """What a program adds to the environment of a training that must end with it."""
    return {PARENT: str(os.getpid())}


def end_with_parent() -> None:
    """From now on, this process stops as after SIGTERM when its parent ends, which leaves time for one snapshot.

    Nothing happens in a process whose environment names no parent. The variable is removed, for it is not meant for
    what this process starts.
    """
    parent = _parent()
    if parent is not None:
        threading.Thread(target=_watch, args=(parent,), name="caffe-parent", daemon=True).start()


def _parent() -> int | None:
    named = os.environ.pop(PARENT, "")
    if named.isdigit():
        return int(named)
    return os.getppid() if _TORCHRUN in os.environ else None


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(POLL_SECONDS)
    os.write(2, f"the program that started this training (process {parent}) is gone: stopping\n".encode())
    # A launcher may have asked for the stop already, and a second signal would end the process without a snapshot.
    if not STOP_ASKED.wait(POLL_SECONDS):
        os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(GRACE_SECONDS)
    os._exit(ENDED_BY_SIGNAL + signal.SIGTERM)
