"""Messages to protobuf's text format as Caffe's users write it: `lr_mult: 1`, `eps: 1e-05`, in the schema's order."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from google.protobuf import text_encoding  # type: ignore[attr-defined]
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from caffe_compat.proto.copy_fields import is_repeated


def format_text(message: Message) -> str:
    """The message as text that every Caffe reads: one value a line, floats as short as float32 allows."""
    return "".join(f"{line}\n" for line in _lines(message))


def _lines(message: Message) -> Iterator[str]:
    present = {field.name: value for field, value in message.ListFields()}
    for field in message.DESCRIPTOR.fields:
        if field.name in present:
            value = present[field.name]
            for item in value if is_repeated(field) else [value]:
                yield from _item(field, item)


def _item(field: FieldDescriptor, value: Any) -> Iterator[str]:
    if field.message_type is None:
        yield f"{field.name}: {_scalar(field, value)}"
        return
    yield f"{field.name} {{"
    yield from (f"  {line}" for line in _lines(value))
    yield "}"


def _scalar(field: FieldDescriptor, value: Any) -> str:
    if field.enum_type is not None:
        return str(field.enum_type.values_by_number[value].name)
    if field.cpp_type == FieldDescriptor.CPPTYPE_STRING:
        return f'"{text_encoding.CEscape(value, as_utf8=field.type == FieldDescriptor.TYPE_STRING)}"'
    if field.cpp_type == FieldDescriptor.CPPTYPE_BOOL:
        return "true" if value else "false"
    if field.cpp_type == FieldDescriptor.CPPTYPE_FLOAT:
        return _float32(value)
    return str(value).removesuffix(".0")


def _float32(value: float) -> str:
    """As Caffe's own tools print it (0.0001, 1e-05), in the fewest of 6 to 9 digits that say this float32."""
    texts = [f"{value:.{digits}g}" for digits in range(6, 10)]
    return next((text for text in texts if np.float32(text) == np.float32(value)), texts[0])
