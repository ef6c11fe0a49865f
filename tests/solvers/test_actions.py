"""Signals ask for actions."""

import os
import signal

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
