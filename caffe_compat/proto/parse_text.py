"""Protobuf's text format to messages, with errors that name the cure."""

import re
from difflib import get_close_matches
from typing import TypeVar

from google.protobuf import text_format
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from caffe_compat.errors import FormatError
from caffe_compat.proto import caffe_pb2
from caffe_compat.proto.copy_fields import missing_fields
from caffe_compat.proto.dialects import bvlc_pb2, srn_fork_pb2
from caffe_compat.proto.fork_fields import fork_of_field

MessageType = TypeVar("MessageType", bound=Message)

_UNKNOWN_FIELD = re.compile(r'Message type "([\w.]+)" has no field named "(\w+)"')
_UNKNOWN_VALUE = re.compile(r'Enum type "([\w.]+)" has no value named "?(\w+)')
# What each of the two kinds of text file holds.
_FILES = {"NetParameter": "a net, not a solver", "SolverParameter": "a solver, not a net"}
#: Messages of a file that no layer holds.
NOT_IN_A_LAYER = {*_FILES, "NetState", "MemoryOptimizationParameter", "Phase"}
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
        raise FormatError(f"{place}{_explain(cause)}{_shown(text, line)}") from error
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
    found = _UNKNOWN_FIELD.search(cause) or _UNKNOWN_VALUE.search(cause)
    owner = found.group(1).split(".")[1] if found else "NetParameter"
    layers = [*getattr(message, "layers", ()), *getattr(message, "layer", ())]
    if owner in NOT_IN_A_LAYER or not layers:
        return ""
    layer = layers[-1]
    name = f"'{layer.name}'" if layer.name else f"number {len(layers)}"
    type_name = layer.type if isinstance(layer.type, str) else _V1_TYPES.values_by_number[layer.type].name
    return f"layer {name}{f' ({type_name})' if type_name else ''}: "


def _explain(cause: str) -> str:
    """The parser's words, with the cure where the cause is a known one."""
    for pattern, explain in ((_UNKNOWN_FIELD, _unknown_field), (_UNKNOWN_VALUE, _unknown_value)):
        found = pattern.search(cause)
        if found:
            return explain(*found.groups())
    return cause.replace("caffe_compat.", "")


def _unknown_field(full_name: str, name: str) -> str:
    message = caffe_pb2.DESCRIPTOR.message_types_by_name[full_name.split(".")[1]]
    fork = fork_of_field(message, name)
    if fork:
        return f"{message.name} has no field '{name}', a field of {fork}: {_without(message)}"
    return f"{message.name} has no field '{name}'; {_field_cure(message, name)}"


def _field_cure(message: Descriptor, name: str) -> str:
    near = _nearest(message, name)
    if near:
        return f"did you mean '{near}'?"
    other_file = next((kind for owner, kind in _FILES.items() if owner != message.name and _has(owner, name)), None)
    if message.name in _FILES and other_file:
        return f"this seems to be {other_file}"
    inside = _holders(message, name) or _holders(caffe_pb2.DESCRIPTOR.message_types_by_name["LayerParameter"], name)
    if inside:
        return f"it belongs into {' or '.join(inside)}"
    return f"neither BVLC Caffe nor the SRN fork has it: {_without(message)}"


def _nearest(message: Descriptor, name: str) -> str | None:
    """The field most like it; what nearly all fields of a layer end in makes none of them alike."""
    ending = "_param" if name.endswith("_param") else ""
    known = {field.removesuffix(ending): field for field in message.fields_by_name if field.endswith(ending)}
    near = get_close_matches(name.removesuffix(ending), known, n=1)
    return known[near[0]] if near else None


def _without(message: Descriptor) -> str:
    """What to do where nothing can stand for the field."""
    take_it_out = "take it out if it changes no result"
    if message.name in NOT_IN_A_LAYER:
        return take_it_out
    return f"{take_it_out}, else exchange the layer for one of docs/layers.md or for a Python layer of your own"


def _has(message: str, name: str) -> bool:
    return name in caffe_pb2.DESCRIPTOR.message_types_by_name[message].fields_by_name


def _holders(message: Descriptor, name: str) -> list[str]:
    """The fields of a message that hold a field of this name one level down, and who alone knows them."""
    return [
        f"{field.name}{_only_in(message, field)}"
        for field in message.fields
        if field.message_type is not None and name in field.message_type.fields_by_name
    ]


def _only_in(message: Descriptor, field: FieldDescriptor) -> str:
    knowing = [
        dialect
        for dialect, schema in (("BVLC Caffe", bvlc_pb2), ("the SRN fork", srn_fork_pb2))
        if field.name in schema.DESCRIPTOR.message_types_by_name[message.name].fields_by_name
    ]
    return f" ({knowing[0]} only)" if len(knowing) == 1 else ""


def _unknown_value(full_name: str, name: str) -> str:
    enum = caffe_pb2.DESCRIPTOR.pool.FindEnumTypeByName(full_name)
    if name in enum.values_by_name:
        return f"{name} is a name, not a string: write it without quotes"
    near = get_close_matches(name.upper(), enum.values_by_name, n=1, cutoff=0.5)
    cure = f"did you mean {near[0]}?" if near else f"it has {', '.join(enum.values_by_name)}"
    return f"{enum.full_name.split('.', 1)[1]} has no value {name}; {cure}"
