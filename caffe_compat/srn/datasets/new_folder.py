"""Folders that appear whole or not at all: filled beside their place, then renamed."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from caffe_compat.errors import DataError


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """A folder beside `path` to fill, which takes its place if the block ends well and vanishes if not.

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
