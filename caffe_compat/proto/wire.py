"""Protobuf's wire format: where the fields of a message lie in a buffer, whether they fit a schema, and decoding.

Weights are never decoded. Protobuf would copy every weight at least twice; here the numbers stay in the bytes of the
file. Files above protobuf's limit of 2 GB can be read, too. Format: https://protobuf.dev/programming-guides/encoding
"""

from collections.abc import Iterator
from functools import cache
from typing import Any, NamedTuple, TypeVar

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import DecodeError, Message

from caffe_compat.errors import FormatError

MessageType = TypeVar("MessageType", bound=Message)

VARINT, FIXED64, LENGTH_DELIMITED, FIXED32 = 0, 1, 2, 5
_WIRE_TYPES = {
    FieldDescriptor.TYPE_DOUBLE: FIXED64,
    FieldDescriptor.TYPE_FLOAT: FIXED32,
    FieldDescriptor.TYPE_STRING: LENGTH_DELIMITED,
    FieldDescriptor.TYPE_BYTES: LENGTH_DELIMITED,
    FieldDescriptor.TYPE_MESSAGE: LENGTH_DELIMITED,
}


class WireField(NamedTuple):
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


def fields(buffer: bytes, start: int, end: int) -> Iterator[WireField]:
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
        yield WireField(number, wire_type, at, body, stop)
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


def is_repeated(field: FieldDescriptor) -> bool:
    """Whether a field is a list. In proto2 every other field knows whether it is set; protobuf 4 to 7 agree on that."""
    return not field.has_presence


def misfits(descriptor: Descriptor, buffer: bytes, start: int = 0, end: int | None = None) -> list[str]:
    """Returns the fields of the message in `buffer[start:end]` that a schema lacks, or has with another wire type.

    Each is named `Message.field`, or by its number if it has no name. FormatError if the bytes are not a message.
    """
    found = []
    for field in fields(buffer, start, len(buffer) if end is None else end):
        known = descriptor.fields_by_number.get(field.number)
        if known is None:
            found.append(f"{descriptor.name}.{field.number}")
        elif not _fits(known, field, buffer):
            found.append(f"{descriptor.name}.{known.name}")
        elif known.message_type is not None:
            found += _inner_misfits(known, field, buffer)
    return found


def _inner_misfits(known: FieldDescriptor, field: WireField, buffer: bytes) -> list[str]:
    try:
        return misfits(known.message_type, buffer, field.body, field.end)
    except FormatError:  # bytes of something else
        return [f"{known.containing_type.name}.{known.name}"]


def _fits(known: FieldDescriptor, field: WireField, buffer: bytes) -> bool:
    if known.type == FieldDescriptor.TYPE_BOOL and field.wire_type == VARINT:
        # DataParameter 10 is BVLC's prefetch, a count, and the fork's shuffle.
        return read_varint(buffer, field.body, field.end)[0] <= 1
    packed = is_repeated(known) and field.wire_type == LENGTH_DELIMITED
    return field.wire_type == _WIRE_TYPES.get(known.type, VARINT) or packed


def decode(data: bytes, message_type: type[MessageType]) -> MessageType:
    """Returns the message in the bytes; FormatError if they are not a message of this type."""
    try:
        message: MessageType = message_type.FromString(data)
    except (DecodeError, UnicodeDecodeError) as error:
        raise FormatError(f"not a {message_type.DESCRIPTOR.name} ({error})") from error
    _mend_strings(message)
    return message


def _mend_strings(message: Any) -> None:
    """Replaces strings that are not UTF-8 by text, in place; protobuf returns such strings as bytes.

    Paths of Windows machines are often not UTF-8. Bytes that cannot be decoded become the replacement character.
    """
    if not _holds_strings(message.DESCRIPTOR):
        return
    for field, value in message.ListFields():
        if field.message_type is not None:
            for inner in value if is_repeated(field) else [value]:
                _mend_strings(inner)
        elif field.type == FieldDescriptor.TYPE_STRING and is_repeated(field):
            value[:] = [_text(item) for item in value]
        elif field.type == FieldDescriptor.TYPE_STRING:
            setattr(message, field.name, _text(value))


@cache
def _holds_strings(message: Descriptor) -> bool:
    """Whether a message, or a message inside it, has fields of strings. Caffe's messages do not contain themselves."""
    return any(
        _holds_strings(field.message_type) if field.message_type else field.type == FieldDescriptor.TYPE_STRING
        for field in message.fields
    )


def _text(value: str | bytes) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else value
