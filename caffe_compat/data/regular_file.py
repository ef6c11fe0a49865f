"""Opens files named by lists, nets and commands; only regular files, for any name.

Reading a device or a pipe could block forever or fill the memory.
"""

import os
import stat
from typing import TextIO

from caffe_compat.errors import DataError

_OTHERS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a pipe (FIFO), from which reading could wait for ever"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def open_regular(path: str, owner: str, failure: str = "could not load") -> int:
    """Opens a regular file and returns its descriptor; DataError, beginning with `owner` and `failure`, for others.

    The bytes of the name reach the system unchanged: surrogates stand for bytes that are not UTF-8.
    """
    place = f"{owner}: {failure} '{shown(path)}'"
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise DataError(f"{place}: {error.strerror}") from error
    except ValueError as error:  # the name contains a zero byte
        raise DataError(f"{place}: no file has such a name ({error})") from error
    mode = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(mode):
        os.close(descriptor)
        raise DataError(f"{place}: expected a file, found {other_kind(mode)}")
    return descriptor


def other_kind(mode: int) -> str:
    """The kind of a path that is not a regular file, by the mode of its status; "" for a regular file."""
    if stat.S_ISREG(mode):
        return ""
    return next((name for test, name in _OTHERS if test(mode)), "something else")


def read_regular(path: str, owner: str, failure: str = "could not load") -> bytes:
    """The bytes of a regular file; DataError as in `open_regular`."""
    with open(open_regular(path, owner, failure), "rb") as file:
        try:
            return file.read()
        except OSError as error:
            raise DataError(f"{owner}: {failure} '{shown(path)}': {error.strerror}") from error


def open_text(path: str, owner: str, failure: str = "could not load") -> TextIO:
    """Opens a regular file as text; bytes that are not UTF-8 become surrogates, as in file names."""
    return open(open_regular(path, owner, failure), encoding="utf-8", errors="surrogateescape")


def shown(path: str) -> str:
    """A name for messages: at most 200 characters, without control characters."""
    text = path if len(path) <= 200 else f"{path[:120]}...{path[-70:]}"
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
