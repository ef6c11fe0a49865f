"""Protobuf's text format: to messages with errors that name the cure, and back as Caffe's users write it."""

import re
from collections.abc import Iterator
from typing import Any, TypeVar

import numpy as np
from google.protobuf import text_encoding, text_format  # type: ignore[attr-defined]
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from caffe_compat.errors import FormatError
from caffe_compat.proto import caffe_pb2
from caffe_compat.proto.dialects.copy_fields import is_repeated, missing_fields
from caffe_compat.proto.words import NOT_IN_A_LAYER, UNKNOWN_FIELD, UNKNOWN_VALUE, explain

MessageType = TypeVar("MessageType", bound=Message)

_V1_TYPES = caffe_pb2.V1LayerParameter.LayerType.DESCRIPTOR
_CAUSE = re.compile(r"^\d+:\d+ : (?:'.*': )?", re.DOTALL)


def parse_text(text: str, message_type: type[MessageType], path: str = "<text>") -> MessageType:
    """A message from text; FormatError gives file, line, column, what is wrong and what to write instead."""
    message: MessageType = message_type()
    try:
        text_format.Parse(text, message)
    except text_format.ParseError as error:
        line, column = error.GetLine() or 0, error.GetColumn() or 0
        cause = _CAUSE.sub("", str(error)).rstrip(".")
        place = f"{path}:{line}:{column}: {_layer_of(cause, message)}"
        raise FormatError(f"{place}{explain(cause)}{_shown(text, line)}") from error
    missing = missing_fields(message)
    if missing:
        raise FormatError(f"{path}: {', '.join(missing)} must be set, as Caffe requires it")
    return message


def _shown(text: str, number: int) -> str:
    """The line that an error is about."""
    lines = text.splitlines()
    return f"; the line is '{lines[number - 1].strip()}'" if 0 < number <= len(lines) else ""


def _layer_of(cause: str, message: Message) -> str:
    """The layer whose field or value is unknown: the last that was read, unless the field is of the whole file."""
    found = UNKNOWN_FIELD.search(cause) or UNKNOWN_VALUE.search(cause)
    owner = found.group(1).split(".")[1] if found else "NetParameter"
    layers = [*getattr(message, "layers", ()), *getattr(message, "layer", ())]
    if owner in NOT_IN_A_LAYER or not layers:
        return ""
    layer = layers[-1]
    name = f"'{layer.name}'" if layer.name else f"number {len(layers)}"
    type_name = layer.type if isinstance(layer.type, str) else _V1_TYPES.values_by_number[layer.type].name
    return f"layer {name}{f' ({type_name})' if type_name else ''}: "


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
