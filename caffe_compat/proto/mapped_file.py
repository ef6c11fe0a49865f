"""A memory-mapped file; parts of it can be read into arrays with few system calls."""

import mmap
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from caffe_compat.errors import FormatError

#: The position of bytes in the file, and the array that they fill.
Part = tuple[int, np.ndarray[Any, np.dtype[Any]]]

#: Buffers that one call fills at most (IOV_MAX of every system).
MOST_BUFFERS = 1024
#: Largest gap in bytes between two parts that is read and dropped, which is faster than a new call.
SMALL_GAP = 1 << 12


class MappedFile(mmap.mmap):
    """A read-only mapping, which gives bytes and numbers as `bytes` does, of a file that stays open as long.

    Arrays over it (np.frombuffer) keep it alive.
    """

    path: Path
    descriptor: int

    def __new__(cls, path: Path) -> "MappedFile":
        descriptor = os.open(path, os.O_RDONLY)
        try:
            mapped = super().__new__(cls, descriptor, 0, access=mmap.ACCESS_READ)
        except BaseException:
            os.close(descriptor)
            raise
        mapped.path, mapped.descriptor = path, descriptor
        return mapped

    def __del__(self) -> None:
        os.close(self.descriptor)

    def offset_of(self, array: np.ndarray[Any, Any]) -> int:
        """Returns the position in the file of the first byte of an array over this mapping."""
        return array.ctypes.data - np.frombuffer(self, np.uint8, 1).ctypes.data

    def read_parts(self, parts: Iterable[Part]) -> None:
        """Fills arrays from the file with few system calls; reading the mapping would cost a page fault per page.

        FormatError if the file was shortened after it was mapped; a read through the mapping would end the process.
        """
        for start, buffers in _runs(sorted((part for part in parts if part[1].size), key=lambda part: part[0])):
            self._fill(start, buffers)

    def _fill(self, start: int, buffers: list[memoryview]) -> None:
        while buffers:
            count = os.preadv(self.descriptor, buffers, start)
            if not count:
                raise FormatError(f"{self.path}: ends at byte {start} now: the file was changed while it was read")
            start, buffers = start + count, _without(buffers, count)


def mapping_of(array: np.ndarray[Any, Any]) -> MappedFile | None:
    """The mapped file that holds the numbers of a contiguous array; None for an array with memory of its own."""
    base: Any = array if array.flags.c_contiguous else None
    while isinstance(base, np.ndarray):
        base = base.base
    owner = base.obj if isinstance(base, memoryview) else base
    return owner if isinstance(owner, MappedFile) else None


def _runs(parts: Sequence[Part]) -> Iterator[tuple[int, list[memoryview]]]:
    """Groups parts for single calls; yields the start of each call and its buffers, with fillers for small gaps."""
    buffers: list[memoryview] = []
    start = end = 0
    for offset, array in parts:
        gap = offset - end
        if buffers and not (0 <= gap <= SMALL_GAP and len(buffers) + 2 <= MOST_BUFFERS):
            yield start, buffers
            buffers = []
        if not buffers:
            start = offset
        elif gap:
            buffers.append(memoryview(bytearray(gap)))
        buffers.append(array.reshape(-1).view(np.uint8).data)
        end = offset + array.nbytes
    if buffers:
        yield start, buffers


def _without(buffers: list[memoryview], count: int) -> list[memoryview]:
    """Returns the buffers without their first `count` bytes. A call may fill fewer bytes than it was asked for."""
    for index, buffer in enumerate(buffers):
        if count < buffer.nbytes:
            return [buffer[count:], *buffers[index + 1 :]]
        count -= buffer.nbytes
    return []
