"""Writes files completely or not at all: first under a temporary name in the same folder, then renamed."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Yields a temporary path in the folder of `path`; renames it to `path` after the block, or deletes it on errors.

    An OSError about the temporary path is raised as an OSError about `path`, which the user knows.
    """
    path = Path(path)
    if not path.parent.is_dir():
        raise FileNotFoundError(errno.ENOENT, f"no such folder for '{path.name}'; make it first", str(path.parent))
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield beside
        _flush(beside)
        os.replace(beside, path)
    except OSError as error:
        if str(error.filename) != str(beside):
            raise
        raise OSError(error.errno, error.strerror, str(path)) from error
    finally:
        beside.unlink(missing_ok=True)
    _flush(path.parent)


def _flush(path: Path) -> None:
    """Waits until a file, or a folder's list of names, is on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
