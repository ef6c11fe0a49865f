"""Limits the memory of a net's arrays, counted in Python's integers before anything is allocated."""

import math
import os
import re
from collections.abc import Iterator, Sequence

from google.protobuf.message import Message

from caffe_compat.errors import FieldError, ShapeError
from caffe_compat.proto import caffe_pb2

#: Largest number of values in a blob: Caffe counts them in a C++ int (Blob::Reshape).
MOST_VALUES = 2**31 - 1
BYTES_PER_VALUE = 4
#: Environment variable that replaces the machine's memory as the limit: `CAFFE_COMPAT_MEMORY_LIMIT=24G`.
VARIABLE = "CAFFE_COMPAT_MEMORY_LIMIT"
_UNITS = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}


class MemoryBudget:
    """Refuses blobs with a size of 0, with too many values, or with more memory than the limit.

    `limit` is in bytes. Weights of the whole net add up; each top is checked by itself beside the weights.
    """

    def __init__(self, limit: float | None = None) -> None:
        self._limit = memory_limit() if limit is None else limit
        self._weights = 0

    def add_weights(self, layer: caffe_pb2.LayerParameter, index: int, shape: Sequence[int]) -> None:
        """Counts a weight blob; ShapeError names the layer and the field that makes the blob too large."""
        self._weights += self._bytes(layer, f"blob {index}", shape)
        self._require_room(layer, f"blob {index}", shape, self._weights)

    def check_top(self, layer: caffe_pb2.LayerParameter, top: str, shape: Sequence[int]) -> None:
        """Raises ShapeError for a top that does not fit into memory beside the weights counted so far."""
        what = f"top '{top}'"
        self._require_room(layer, what, shape, self._weights + self._bytes(layer, what, shape))

    def _bytes(self, layer: caffe_pb2.LayerParameter, what: str, shape: Sequence[int]) -> int:
        if any(size < 1 for size in shape):
            raise ShapeError(f"{_name(layer)}: expected sizes above 0 for {what}, got {_shown(shape)}")
        values = math.prod(shape)
        if values > MOST_VALUES:
            raise ShapeError(
                f"{_name(layer)}: {what} would have {_shown(shape)} = {values} values; a blob of Caffe holds at most "
                f"{MOST_VALUES}{_largest_field(layer)}"
            )
        return values * BYTES_PER_VALUE

    def _require_room(self, layer: caffe_pb2.LayerParameter, what: str, shape: Sequence[int], needed: int) -> None:
        if needed > self._limit:
            raise ShapeError(
                f"{_name(layer)}: with {what} of shape {_shown(shape)} the net needs {needed / 2**30:.1f} GiB, more "
                f"than the limit of {self._limit / 2**30:.1f} GiB ({VARIABLE} sets another){_largest_field(layer)}"
            )


def memory_limit() -> int:
    """The limit in bytes: the value of the environment variable, else the memory of this machine."""
    text = os.environ.get(VARIABLE, "").strip().upper()
    if not text:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    found = re.fullmatch(r"(\d{1,15})\s*([KMGT]?)(?:I?B)?", text)
    if not found:
        raise FieldError(f"{VARIABLE}: expected a number of bytes such as 8000000000, 500M or 24G, got '{text[:40]}'")
    return int(found[1]) * _UNITS[found[2]]


def _name(layer: caffe_pb2.LayerParameter) -> str:
    return f"layer '{layer.name}' ({layer.type})"


def _shown(shape: Sequence[int]) -> str:
    """The sizes joined for a message; a long list is shortened."""
    sizes = [str(size) for size in shape]
    return "x".join([*sizes[:8], *(["..."] if len(sizes) > 8 else [])]) or "a single number"


def _largest_field(layer: caffe_pb2.LayerParameter) -> str:
    """Words for a message: the largest whole number among the layer's fields, the most likely cause."""
    numbers = [
        (value, name)
        for field, message in layer.ListFields()
        if field.name.endswith("_param")
        for name, value in _whole_numbers(field.name, message)
    ]
    if not numbers:
        return ""
    value, name = max(numbers)
    return f"; its largest number is {name}: {value}"


def _whole_numbers(path: str, message: Message) -> Iterator[tuple[str, int]]:
    for field, value in message.ListFields():
        values = [value] if isinstance(value, int | float | str | bytes | Message) else list(value)
        for entry in values:
            name = f"{path}.{field.name}"
            if isinstance(entry, Message):
                yield from _whole_numbers(name, entry)
            elif isinstance(entry, int) and field.enum_type is None:
                yield name, entry
