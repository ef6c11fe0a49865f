"""What image decoders print about damaged files, caught so that a report can tell it.

libjpeg goes on over damaged data, fills in grey and says so on the standard error stream only, past Python.
"""

import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

_STANDARD_ERROR = 2
#: Level, thread, seconds since the start and source file: they differ from run to run.
_OPENCV_PREFIX = re.compile(r"^\[ *\w+:\S+\] global \S+ ")


@contextmanager
def decoder_complaints() -> Iterator[list[str]]:
    """A list that holds, after the block, the lines that came by the standard error stream within it."""
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
    """The descriptor of one nameless file a process, for making one an image takes longer than decoding a small one."""
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
