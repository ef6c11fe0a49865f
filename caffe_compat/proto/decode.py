"""Decodes bytes to messages; strings that are not UTF-8 also become text."""

from functools import cache
from typing import Any, TypeVar

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import DecodeError, Message

from caffe_compat.errors import FormatError
from caffe_compat.proto.dialects.copy_fields import is_repeated

MessageType = TypeVar("MessageType", bound=Message)


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
