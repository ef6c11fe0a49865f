"""Refuses what is no regular file before it is opened, for images that are left out and annotations that are errors."""

import os
from pathlib import Path

from caffe_compat.data.regular_file import other_kind
from caffe_compat.errors import DataError


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
        return other_kind(os.stat(path).st_mode)
    except (OSError, ValueError):  # ValueError: a NUL in the name
        return ""
