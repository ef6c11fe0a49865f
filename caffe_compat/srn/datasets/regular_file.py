"""Refuses what is no regular file before it is opened: a FIFO or a device would hang or never end."""

import os
import stat
from pathlib import Path

from caffe_compat.errors import DataError

_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a FIFO",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def check_regular_file(path: Path, what: str) -> None:
    """Raise DataError if `path` is a folder, a FIFO, a socket or a device.

    A path at which nothing can be found passes: opening it gives the system's own reason.
    """
    found = kind_of_other_file(path)
    if found:
        raise DataError(f"{path}: cannot read the {what}: expected a file, found {found}; check the path")


def kind_of_other_file(path: Path) -> str:
    """What a path is if it is no regular file; "" for a regular file, or if nothing can be found there."""
    try:
        mode = os.stat(path).st_mode
    except (OSError, ValueError):  # ValueError: a NUL in the name
        return ""
    return _KINDS.get(stat.S_IFMT(mode), "")
