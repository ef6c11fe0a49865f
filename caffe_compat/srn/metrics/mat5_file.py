"""One variable of numbers from a MATLAB 5 to 7 file, every size checked: SciPy's reader crashes on damaged files.

The format is described in MathWorks' "MAT-File Format": a header of 128 bytes, then elements of a tag and its data.
"""

import math
import struct
import zlib
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from caffe_compat.errors import FormatError

HEADER_BYTES = 128
MATRIX, COMPRESSED = 14, 15
#: NumPy's letters for the types of numbers, by their code.
TYPES = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
#: The codes of matrices of numbers: double, single and whole numbers.
NUMERIC_CLASSES = range(6, 16)
#: A variable's flags, dimensions and name take less than this beside its numbers.
LARGEST_DESCRIPTION = 4096


class Variable(NamedTuple):
    """A variable's name, its dimensions, and the bytes after both; `kind` is its class."""

    name: str
    kind: int
    shape: tuple[int, ...]
    data: bytes
    order: str  # "<" or ">"

    def numbers(self) -> NDArray[np.float64]:
        """The values in MATLAB's order (columns first); FormatError if the bytes are too few or no numbers."""
        code, content = next(_elements(self.data, self.order), (0, b""))
        kind = TYPES.get(code)
        if kind is None:
            raise FormatError(f"expected numbers, found an element of type {code}")
        values = np.frombuffer(content, np.dtype(self.order + kind), len(content) // np.dtype(kind).itemsize)
        if values.size != math.prod(self.shape):
            raise FormatError(f"expected {math.prod(self.shape)} numbers, found {values.size}; the file was cut short")
        return values.astype(np.float64)


def read_variables(content: bytes, largest: int) -> Iterator[Variable]:
    """The variables of a file's bytes; compressed ones are unpacked up to `largest` bytes of numbers.

    Raises FormatError where the file is not what it should be.
    """
    order = {b"IM": "<", b"MI": ">"}.get(content[HEADER_BYTES - 2 : HEADER_BYTES])
    if order is None:
        raise FormatError("expected the header of a MATLAB 5 file")
    for code, element in _elements(content[HEADER_BYTES:], order, padded=False):
        unpacked = element
        if code == COMPRESSED:
            code, unpacked = _unpack(element, order, largest + LARGEST_DESCRIPTION)
        if code == MATRIX:
            yield _variable(unpacked, order)


def _elements(content: bytes, order: str, padded: bool = True) -> Iterator[tuple[int, bytes]]:
    """Type and data of each element; small ones have both in eight bytes."""
    place = 0
    while place + 8 <= len(content):
        code, size = struct.unpack(f"{order}II", content[place : place + 8])
        if code >> 16:
            code, size, start, end = code & 0xFFFF, code >> 16, place + 4, place + 8
        else:
            start = place + 8
            end = start + size + (-size % 8 if padded else 0)
        if start + size > len(content):
            raise FormatError(f"expected an element of {size} bytes, found {len(content) - start}")
        yield code, content[start : start + size]
        place = end


def _unpack(element: bytes, order: str, largest: int) -> tuple[int, bytes]:
    try:
        unpacked = zlib.decompressobj().decompress(element, largest)
    except zlib.error as error:
        raise FormatError(f"expected compressed data ({error})") from error
    if len(unpacked) < 8:
        raise FormatError("expected a compressed variable, found less than a tag")
    return struct.unpack(f"{order}I", unpacked[:4])[0], unpacked[8:]


def _variable(content: bytes, order: str) -> Variable:
    """The description of a matrix; its numbers stay bytes until they are asked for."""
    head: list[bytes] = []
    place = 0
    for _ in range(3):
        element = next(_elements(content[place : place + LARGEST_DESCRIPTION], order), None)
        if element is None:
            raise FormatError("expected flags, dimensions and name of a variable")
        head.append(element[1])
        small = len(element[1]) <= 4 and struct.unpack(f"{order}I", content[place : place + 4])[0] >> 16
        place += 8 if small else 8 + len(element[1]) + -len(element[1]) % 8
    flags, dimensions, name = head
    if len(flags) < 4 or len(dimensions) % 4 or not dimensions:
        raise FormatError("expected flags and dimensions of a variable")
    shape = struct.unpack(f"{order}{len(dimensions) // 4}i", dimensions)
    if min(shape) < 0:
        raise FormatError(f"expected dimensions from 0 on, found {min(shape)}")
    kind = struct.unpack(f"{order}I", flags[:4])[0] & 0xFF
    return Variable(name.decode("latin-1"), kind, shape, content[place:], order)
