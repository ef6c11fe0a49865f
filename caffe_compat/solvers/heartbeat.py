"""Ends the processes of one training where one of them is stopped or cut off, after a stated time."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import torch
from torch import distributed as processes

#: A process that gives no sign for so many seconds is taken for lost.
DEFAULT_PATIENCE = 300
_BEAT_SECONDS = 5.0


@contextmanager
def heartbeat(patience: float) -> Iterator[None]:
    """While the block runs, a thread of every process meets those of the others every few seconds.

    The threads meet while the main threads test, write or wait, so that long tests are no reason to end. A process
    that is stopped (SIGSTOP), or whose network is gone, ends the others after `patience` seconds: with exit status 1
    and one line. Without other processes nothing happens.
    """
    if not processes.is_initialized() or processes.get_world_size() == 1:
        yield
        return
    group = processes.new_group(backend="gloo", timeout=timedelta(seconds=patience))
    leaving = threading.Event()
    beats = threading.Thread(target=_beat, args=(group, leaving, patience), name="caffe-heartbeat", daemon=True)
    beats.start()
    try:
        yield
    except BaseException:
        leaving.set()  # the others meet a closed connection, each of which says so
        raise
    leaving.set()
    beats.join()


def _beat(group: processes.ProcessGroup, leaving: threading.Event, patience: float) -> None:
    """Meets the others until all are leaving."""
    everyone = processes.get_world_size()
    while True:
        left = torch.tensor([float(leaving.is_set())])
        try:
            processes.all_reduce(left, group=group)
        except RuntimeError as error:
            if not leaving.is_set():
                _end(patience, str(error))
            return
        if int(left) == everyone:
            return
        leaving.wait(min(_BEAT_SECONDS, patience / 4))


def _end(patience: float, words: str) -> None:
    rank, size = processes.get_rank(), processes.get_world_size()
    reason = f"gave no sign for {patience:g} s" if "imed out" in words else "has ended"
    line = f"process {rank}: one of the {size} processes {reason}; resume from the last snapshot (--snapshot=auto)"
    os.write(2, f"{line}\n".encode())
    os._exit(1)
