"""Files to whose end a program writes for hours: none of their failures ends the work that they tell of."""

import errno
import logging
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TextIO

from caffe_compat.errors import DataError
from caffe_compat.logs.glog import TERMINAL, GlogFormatter

logger = logging.getLogger("caffe_compat")


def open_to_append(path: str | os.PathLike[str], what: str) -> TextIO:
    """Opens a text file to write at its end; DataError where it cannot be written, or is a pipe or socket.

    Opening a pipe could wait for a reader for ever. `what` names the file's kind in the message.
    """
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
    try:
        descriptor = os.open(path, flags | os.O_NONBLOCK, 0o666)
    except OSError as error:
        reason = "it is a pipe or a socket" if error.errno == errno.ENXIO else error.strerror
        raise _refusal(path, what, str(reason)) from error
    except ValueError as error:  # the name contains a zero byte
        raise _refusal(path, what, str(error)) from error
    if stat.S_ISFIFO(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise _refusal(path, what, "it is a pipe")
    os.set_blocking(descriptor, True)
    return open(descriptor, "a", encoding="utf-8")


def _refusal(path: str | os.PathLike[str], what: str, reason: str) -> DataError:
    return DataError(f"{os.fspath(path)}: cannot write {what}: {reason}; name a file in a folder that exists")


class _LogFile(logging.Handler):
    """Appends records to a file; the first one that the disk refuses is told on stderr, and later ones are tried."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self._path, self._file, self._is_refused = path, open_to_append(path, "the log"), False

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._file.write(f"{self.format(record)}\n")
            self._file.flush()
        except OSError as error:
            if not self._is_refused:
                self._is_refused = True
                logger.error("%s: cannot write the log: %s. Training goes on", self._path, error.strerror)

    def close(self) -> None:
        super().close()
        with suppress(OSError):  # what the disk has refused before
            self._file.close()


@contextmanager
def log_to_file(path: str) -> Iterator[None]:
    """Appends log lines to this file while the block runs. DataError where it cannot be opened."""
    handler = _LogFile(path)
    handler.setFormatter(GlogFormatter())
    handler.addFilter(lambda record: record.name != TERMINAL)
    logging.getLogger("caffe_compat").addHandler(handler)
    try:
        yield
    finally:
        logging.getLogger("caffe_compat").removeHandler(handler)
        handler.close()
