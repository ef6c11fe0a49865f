"""What image decoders print about damaged files, caught for the report.

libjpeg continues over damaged data, fills in grey, and reports it on the standard error stream alone, past Python.
"""

import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

_STANDARD_ERROR = 2
#: Level, thread, seconds and source file, which differ between runs.
_OPENCV_PREFIX = re.compile(r"^\[ *\w+:\S+\] global \S+ ")


@contextmanager
def decoder_complaints() -> Iterator[list[str]]:
    """A list; after the block it holds the lines that were written to standard error within the block."""
    lines: list[str] = []
    kept = os.dup(_STANDARD_ERROR)
    os.dup2(_sink(), _STANDARD_ERROR)
    try:
        yield lines
    finally:
        os.dup2(kept, _STANDARD_ERROR)
        os.close(kept)
        lines.extend(_drained(_sink()))


@cache
def _sink() -> int:
    """One temporary file per process, as a descriptor; creating one per image is slower than decoding."""
    descriptor, path = tempfile.mkstemp()
    os.unlink(path)
    return descriptor


def _drained(sink: int) -> list[str]:
    size = os.fstat(sink).st_size
    if size == 0:
        return []
    lines = os.pread(sink, size, 0).decode("utf-8", "replace").splitlines()
    os.ftruncate(sink, 0)
    os.lseek(sink, 0, os.SEEK_SET)
    return [_OPENCV_PREFIX.sub("", line).strip() for line in lines if line.strip()]
