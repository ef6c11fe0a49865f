"""What asks a training to stop or to snapshot: signals (SignalHandler, SolverAction), and the end of its parent."""

import logging
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import IntEnum
from types import FrameType

logger = logging.getLogger("caffe_compat")


class Action(IntEnum):
    """Ordered: where several workers are asked, the strongest counts."""

    NONE = 0
    SNAPSHOT = 1
    STOP = 2


ACTIONS = {"none": Action.NONE, "snapshot": Action.SNAPSHOT, "stop": Action.STOP}

#: Exit status of a training that a signal stopped early, after its snapshot.
STOPPED_EARLY = 3
#: A shell shows 128 and the signal's number for a process that a signal ended: 130 for SIGINT, 143 for SIGTERM.
ENDED_BY_SIGNAL = 128

#: Set while a signal that asks for a stop is being answered.
STOP_ASKED = threading.Event()

RequestedAction = Callable[[], Action]


def no_action() -> Action:
    """The answer of a solver that no signal reaches: nothing is asked."""
    return Action.NONE


@contextmanager
def actions_of_signals(sigint: Action, sighup: Action) -> Iterator[RequestedAction]:
    """While the block runs, SIGINT and SIGHUP ask for these actions, and SIGTERM for a stop.

    A stop is answered before a snapshot. The second signal that asks for a stop ends the process at once, also where
    the main thread waits for data or for another process.
    """
    effects = {signal.SIGINT: sigint, signal.SIGHUP: sighup, signal.SIGTERM: Action.STOP}
    received: set[Action] = set()

    def receive(number: int, frame: FrameType | None) -> None:
        received.add(effects[signal.Signals(number)])

    def requested() -> Action:
        action = max(received, default=Action.NONE)
        received.discard(action)
        return action

    with _second_stop_ends({number for number, effect in effects.items() if effect == Action.STOP}):
        before = {number: signal.signal(number, receive) for number in effects}
        try:
            yield requested
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


@contextmanager
def _second_stop_ends(stops: set[signal.Signals]) -> Iterator[None]:
    """A thread counts signals as they arrive: Python's own handlers wait until the main thread is back from C code."""
    ours, interpreters = socket.socketpair()
    interpreters.setblocking(False)
    before = signal.set_wakeup_fd(interpreters.fileno(), warn_on_full_buffer=False)
    STOP_ASKED.clear()
    watch = threading.Thread(target=_count_stops, args=(ours, stops), name="caffe-signals", daemon=True)
    watch.start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(before)
        interpreters.close()  # the thread reads the end of the stream and ends
        watch.join()
        ours.close()


def _count_stops(arrivals: socket.socket, stops: set[signal.Signals]) -> None:
    count = 0
    while numbers := arrivals.recv(1):
        if numbers[0] not in stops:
            continue
        name, count = signal.Signals(numbers[0]).name, count + 1
        if count == 1:
            STOP_ASKED.set()
            logger.warning("%s: stopping after this iteration, with a snapshot; a second signal ends at once", name)
        else:
            end_at_once(numbers[0], f"{name} again: ended at once, without a snapshot of this moment")


def end_at_once(number: int, line: str) -> None:
    """Ends the process with a line on stderr and the exit status of a signal, waiting for no thread."""
    os.write(2, f"{line}\n".encode())
    os._exit(ENDED_BY_SIGNAL + number)


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
