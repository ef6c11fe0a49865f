"""LMDB environments, shared: the library opens a folder once a process, but several nets may read it."""

import os
from dataclasses import dataclass
from threading import RLock
from typing import Any

import lmdb

from caffe_compat.errors import DataError


@dataclass
class _Shared:
    environment: Any
    users: int = 0


_shared: dict[str, _Shared] = {}
# Taken again by the same thread where the collector gives one back while another is being opened.
_lock = RLock()


def open_environment(path: str, owner: str) -> Any:
    """The LMDB of a folder, read-only and without locks; every user calls `close_environment` in the end."""
    real = os.path.realpath(path)
    with _lock:
        if real not in _shared:
            _shared[real] = _Shared(_open(path, owner))
        _shared[real].users += 1
        return _shared[real].environment


def close_environment(path: str) -> None:
    """Says that one user is done; the last one closes the folder."""
    real = os.path.realpath(path)
    with _lock:
        _shared[real].users -= 1
        if not _shared[real].users:
            _shared.pop(real).environment.close()


def _open(path: str, owner: str) -> Any:
    if not os.path.exists(os.path.join(path, "data.mdb")):
        raise DataError(f"{owner}: cannot open LMDB '{path}': no data.mdb there; make it with convert_imageset")
    try:
        return lmdb.open(path, readonly=True, lock=False, readahead=False, max_dbs=0)
    except lmdb.Error as error:
        raise DataError(f"{owner}: cannot open LMDB '{path}': {error}") from error
