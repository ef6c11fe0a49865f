"""Shares open databases among the nets of a process: both libraries can open a folder only once per process."""

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
# Reentrant: the garbage collector may close one database in the thread that is opening another.
_lock = RLock()


def open_environment(path: str, owner: str, open_one: Callable[[str, str], Any]) -> Any:
    """The open database of a folder; the first user opens it by `open_one`. Each user must close it once."""
    real = os.path.realpath(path)
    with _lock:
        if real not in _shared:
            _shared[real] = _Shared(open_one(path, owner))
        _shared[real].users += 1
        return _shared[real].environment


def close_environment(path: str) -> None:
    """Ends the use by one user; after the last user, the database is closed."""
    real = os.path.realpath(path)
    with _lock:
        _shared[real].users -= 1
        if not _shared[real].users:
            _shared.pop(real).environment.close()
