"""No garbage collection while a net is built."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def collector_paused() -> Iterator[None]:
    """Keeps Python from looking through all objects again and again, while many are made that all stay.

    At the end they count as old, as if two collections had passed them.
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
    """Puts every object among the oldest, unless a program has frozen some: unfreeze would take these, too."""
    if not gc.get_freeze_count():
        gc.freeze()
        gc.unfreeze()
