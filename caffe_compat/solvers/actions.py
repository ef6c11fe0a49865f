"""What a user can ask of a solver while it runs (SolverAction), and the signals that ask (SignalHandler)."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import IntEnum
from types import FrameType


class Action(IntEnum):
    """Ordered: where several workers are asked, the strongest counts."""

    NONE = 0
    SNAPSHOT = 1
    STOP = 2


ACTIONS = {"none": Action.NONE, "snapshot": Action.SNAPSHOT, "stop": Action.STOP}

RequestedAction = Callable[[], Action]


def no_action() -> Action:
    """Nobody asks for anything."""
    return Action.NONE


@contextmanager
def actions_of_signals(sigint: Action, sighup: Action) -> Iterator[RequestedAction]:
    """While the block runs, SIGINT and SIGHUP ask for these actions; a stop is answered before a snapshot."""
    effects = {signal.SIGINT: sigint, signal.SIGHUP: sighup}
    received: set[Action] = set()

    def receive(number: int, frame: FrameType | None) -> None:
        received.add(effects[signal.Signals(number)])

    def requested() -> Action:
        action = max(received, default=Action.NONE)
        received.discard(action)
        return action

    before = {number: signal.signal(number, receive) for number in effects}
    try:
        yield requested
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
