"""Opens the files that lists, nets and commands name: regular ones only, whatever their names hold."""

import os
import stat

from caffe_compat.errors import DataError

_OTHERS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a pipe (FIFO), from which reading could wait for ever"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def open_regular(path: str, owner: str) -> int:
    """A descriptor to read a regular file; `owner` starts the message of the DataError for anything else.

    The name's bytes reach the system as they are (surrogates stand for bytes that are no UTF-8).
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise DataError(f"{owner}: could not load '{shown(path)}': {error.strerror}") from error
    except ValueError as error:  # a zero byte
        raise DataError(f"{owner}: could not load '{shown(path)}': no file has such a name ({error})") from error
    mode = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(mode):
        os.close(descriptor)
        kind = next((name for test, name in _OTHERS if test(mode)), "something else")
        raise DataError(f"{owner}: '{shown(path)}': expected a file, found {kind}")
    return descriptor


def read_regular(path: str, owner: str) -> bytes:
    """The bytes of a regular file; DataError, which begins with `owner`, where it cannot be read."""
    with open(open_regular(path, owner), "rb") as file:
        try:
            return file.read()
        except OSError as error:
            raise DataError(f"{owner}: could not load '{shown(path)}': {error.strerror}") from error


def read_text(path: str, owner: str) -> str:
    """The same as text; bytes that are no UTF-8 become surrogates, which stand for them in names of files."""
    return read_regular(path, owner).decode("utf-8", "surrogateescape")


def shown(path: str) -> str:
    """A name as messages show it: at most 200 characters, without control characters."""
    text = path if len(path) <= 200 else f"{path[:120]}...{path[-70:]}"
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
