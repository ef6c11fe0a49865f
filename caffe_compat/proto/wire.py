"""The parts of the protobuf wire format that weights need: where the fields of a message lie in a buffer.

Nothing is decoded. Protobuf would copy every weight at least twice; here the numbers stay in the bytes of the file.
Files above protobuf's limit of 2 GB can be read, too. Format: https://protobuf.dev/programming-guides/encoding
"""

from collections.abc import Iterator
from typing import NamedTuple

from caffe_compat.errors import FormatError

VARINT, FIXED64, LENGTH_DELIMITED, FIXED32 = 0, 1, 2, 5


class Field(NamedTuple):
    """One field on the wire: the key starts at `start`, what follows key and length is `[body, end)`."""

    number: int
    wire_type: int
    start: int
    body: int
    end: int


def read_varint(buffer: bytes, at: int, end: int) -> tuple[int, int]:
    """Returns the varint at position `at`, and the position after it. FormatError if it does not end before `end`."""
    if at < end and buffer[at] < 0x80:  # most are of one byte
        return buffer[at], at + 1
    value = shift = 0
    while at < end and shift < 64:
        byte = buffer[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
    raise FormatError(f"byte {at}: a number does not end before byte {end}")


def fields(buffer: bytes, start: int, end: int) -> Iterator[Field]:
    """The fields of the message in `buffer[start:end]`; FormatError where it is no message or ends too early."""
    at = start
    while at < end:
        key, body = read_varint(buffer, at, end)
        number, wire_type = key >> 3, key & 7
        if not number:
            raise FormatError(f"byte {at}: field number 0 does not exist")
        stop, body = _field_end(buffer, wire_type, body, end)
        if stop > end:
            raise FormatError(f"byte {at}: field {number} declares {stop - body} bytes, but only {end - body} are left")
        yield Field(number, wire_type, at, body, stop)
        at = stop


def _field_end(buffer: bytes, wire_type: int, body: int, end: int) -> tuple[int, int]:
    """Returns the position where a field ends and the position where its body starts."""
    if wire_type == VARINT:
        return read_varint(buffer, body, end)[1], body
    if wire_type == LENGTH_DELIMITED:
        length, body = read_varint(buffer, body, end)
        return body + length, body
    if wire_type in (FIXED32, FIXED64):
        return body + (4 if wire_type == FIXED32 else 8), body
    raise FormatError(f"byte {body}: wire type {wire_type} does not occur in Caffe's files")


def varint(value: int) -> bytes:
    """Encodes `value`, which must not be negative, as a varint."""
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def varint_field(number: int, value: int) -> bytes:
    """Encodes a field of wire type VARINT: its key and its value."""
    return varint(number << 3 | VARINT) + varint(value)


def delimited_key(number: int, length: int) -> bytes:
    """Encodes key and length of a length-delimited field; its `length` bytes must follow."""
    return varint(number << 3 | LENGTH_DELIMITED) + varint(length)
