"""Folders that appear whole or not at all: they are filled under another name, then renamed."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from caffe_compat.errors import DataError


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """A new folder to fill. It is renamed to `path` if the block ends without an error, and removed otherwise.

    Raises DataError if something is there already.
    """
    if path.exists():
        raise DataError(f"{path}: exists already; remove it or name another place")
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        beside.mkdir(parents=True)
    except OSError as error:
        raise DataError(f"{path}: cannot write here: {error}") from error
    try:
        yield beside
        beside.rename(path)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
