"""Pauses Python's garbage collection while a net is built."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def collector_paused() -> Iterator[None]:
    """Pauses the garbage collector while many long-lived objects are made; repeated scans of them would be wasted.

    Afterwards the objects are in the oldest generation, as if two collections had run.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            _make_old()
            gc.enable()


def _make_old() -> None:
    """Moves all objects to the oldest generation; does nothing if the program froze objects, which stay frozen."""
    if not gc.get_freeze_count():
        gc.freeze()
        gc.unfreeze()
