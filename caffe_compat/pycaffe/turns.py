"""Lets several threads use one net: calls run one after the other, and each thread keeps the arrays it received."""

import functools
import threading
from collections.abc import Callable
from typing import Any, TypeVar, cast

from caffe_compat.pycaffe.net_structure import NetStructure

Call = TypeVar("Call", bound=Callable[..., Any])


def in_turn(call: Call) -> Call:
    """Makes a method of a net wait for calls of other threads.

    Arrays of a net are live: the next run writes into them. If the next run is in another thread, the blobs get new
    arrays first. So the arrays of one thread never show results of another.
    """

    @functools.wraps(call)
    def waiting(net: NetStructure, *arguments: Any, **named: Any) -> Any:
        turns = net.turns
        with turns.lock:
            if turns.last != threading.get_ident():
                turns.last = threading.get_ident()
                for blob in net.blobs.values():
                    blob.let_go()
            return call(net, *arguments, **named)

    return cast(Call, waiting)
