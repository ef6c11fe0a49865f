"""A lock per snapshot prefix, so that two trainings never write the same snapshots, and what a killed one left."""

import errno
import fcntl
import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from caffe_compat.errors import SolverError

logger = logging.getLogger("caffe_compat")

_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)


@contextmanager
def locked_prefix(prefix: str) -> Iterator[None]:
    """While the block runs, PREFIX.lock keeps other trainings from this prefix; SolverError where one holds it.

    The system drops the lock of a killed process. Unfinished files (`.part`) of killed runs are removed first.
    """
    path = Path(f"{prefix}.lock")
    try:
        descriptor = _take(path)
    except BlockingIOError as error:
        raise SolverError(
            f"snapshot_prefix '{prefix}': another training writes there ({_holder(path)}); "
            "wait for its end, stop it, or set another snapshot_prefix"
        ) from error
    except OSError as error:
        raise SolverError(
            f"snapshot_prefix '{prefix}': cannot write '{path}': {error.strerror}; "
            "make the folder, or set another snapshot_prefix"
        ) from error
    try:
        remove_unfinished(prefix)
        yield
    finally:
        path.unlink(missing_ok=True)  # while the lock is held, so that nobody else's file is removed
        os.close(descriptor)


def _take(path: Path) -> int:
    """The descriptor that holds the lock."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK, 0o644)
        try:
            _lock(descriptor, path)
            if _is_still(path, descriptor):
                os.ftruncate(descriptor, 0)
                os.write(descriptor, f"process {os.getpid()} on {socket.gethostname()}".encode())
                return descriptor
        except OSError:
            os.close(descriptor)
            raise
        os.close(descriptor)


def _lock(descriptor: int, path: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
        logger.warning("%s: this file system has no locks; see to it that no other training writes there", path)


def _is_still(path: Path, descriptor: int) -> bool:
    """Whether the file is the one that was opened: its last holder may have removed it meanwhile."""
    try:
        return os.path.samestat(os.stat(path), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _holder(path: Path) -> str:
    try:
        return path.read_text(errors="replace")[:100] or "it has just started"
    except OSError:
        return "it has just ended"


def remove_unfinished(prefix: str) -> None:
    """Removes the `.part` files of snapshots of this prefix, which killed runs leave; the lock must be held."""
    place = Path(f"{prefix}_iter_")
    for left in place.parent.glob("*.part"):
        if left.name.startswith(f".{place.name}"):
            logger.info("Removing %s, which a killed run left unfinished", left)
            left.unlink(missing_ok=True)
