"""Protobuf's text format to messages, with errors that name the cure."""

import re
from difflib import get_close_matches
from typing import TypeVar

from google.protobuf import text_format
from google.protobuf.descriptor import Descriptor
from google.protobuf.message import Message

from caffe_compat.errors import FormatError
from caffe_compat.proto import caffe_pb2

MessageType = TypeVar("MessageType", bound=Message)

_UNKNOWN_FIELD = re.compile(r'Message type "([\w.]+)" has no field named "(\w+)"')
_UNKNOWN_VALUE = re.compile(r'Enum type "([\w.]+)" has no value named "?(\w+)')
_CAUSE = re.compile(r"^\d+:\d+ : (?:'.*': )?", re.DOTALL)


def parse_text(text: str, message_type: type[MessageType], path: str = "<text>") -> MessageType:
    """A message from text; FormatError gives file, line, column, what is wrong and what to write instead."""
    message: MessageType = message_type()
    try:
        text_format.Parse(text, message)
    except text_format.ParseError as error:
        line, column = error.GetLine() or 0, error.GetColumn() or 0
        cause = _CAUSE.sub("", str(error)).rstrip(".")
        shown = _line(text, line)
        raise FormatError(f"{path}:{line}:{column}: {_explain(cause)}{shown}") from error
    return message


def _line(text: str, number: int) -> str:
    lines = text.splitlines()
    return f"; the line is '{lines[number - 1].strip()}'" if 0 < number <= len(lines) else ""


def _explain(cause: str) -> str:
    """The parser's words, with the cure where the cause is a known one."""
    unknown_field = _UNKNOWN_FIELD.search(cause)
    if unknown_field:
        return _unknown_field(*unknown_field.groups())
    unknown_value = _UNKNOWN_VALUE.search(cause)
    if unknown_value:
        return _unknown_value(*unknown_value.groups())
    return cause


def _unknown_field(full_name: str, name: str) -> str:
    message = caffe_pb2.DESCRIPTOR.message_types_by_name[full_name.split(".")[1]]
    return f"{message.name} has no field '{name}'{_field_cure(message, name)}"


def _field_cure(message: Descriptor, name: str) -> str:
    inside = [f.name for f in message.fields if f.message_type and name in f.message_type.fields_by_name]
    near = get_close_matches(name, message.fields_by_name, n=1)
    owners = [m.name for m in caffe_pb2.DESCRIPTOR.message_types_by_name.values() if name in m.fields_by_name]
    if near:
        return f"; did you mean '{near[0]}'?"
    if inside:
        return f"; it belongs into {' or '.join(inside)}"
    if owners:
        return f"; {', '.join(owners)} {'has' if len(owners) == 1 else 'have'} it (is a brace misplaced?)"
    return "; neither BVLC Caffe nor the SRN fork has it: remove it, or convert the layer that it belongs to"


def _unknown_value(full_name: str, name: str) -> str:
    enum = caffe_pb2.DESCRIPTOR.pool.FindEnumTypeByName(full_name)
    near = get_close_matches(name.upper(), enum.values_by_name, n=1, cutoff=0.5)
    cure = f"did you mean {near[0]}?" if near else f"it has {', '.join(enum.values_by_name)}"
    return f"{enum.full_name.split('.', 1)[1]} has no value {name}; {cure}"
