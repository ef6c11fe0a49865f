"""Open databases, shared: both libraries open a folder once a process, but several nets may read it."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from threading import RLock
from typing import Any


@dataclass
class _Shared:
    environment: Any
    users: int = 0


_shared: dict[str, _Shared] = {}
# Taken again by the same thread where the collector gives one back while another is being opened.
_lock = RLock()


def open_environment(path: str, owner: str, open_one: Callable[[str, str], Any]) -> Any:
    """What `open_one` makes of a folder, for all users together; each calls `close_environment` in the end."""
    real = os.path.realpath(path)
    with _lock:
        if real not in _shared:
            _shared[real] = _Shared(open_one(path, owner))
        _shared[real].users += 1
        return _shared[real].environment


def close_environment(path: str) -> None:
    """Says that one user is done; the last one closes the folder."""
    real = os.path.realpath(path)
    with _lock:
        _shared[real].users -= 1
        if not _shared[real].users:
            _shared.pop(real).environment.close()
