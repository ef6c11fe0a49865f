"""Detects the dialect of a binary message from its layer types and the wire types of its fields."""

from typing import Any, NamedTuple

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import DecodeError, Message

from caffe_compat.errors import FormatError
from caffe_compat.proto.dialects.copy_fields import is_repeated
from caffe_compat.proto.dialects.translate import DIALECTS, FOREIGN_LAYER_TYPES, READ_SCHEMAS
from caffe_compat.proto.wire import FIXED32, FIXED64, LENGTH_DELIMITED, VARINT, Field, fields, read_varint

_WIRE_TYPES = {
    FieldDescriptor.TYPE_DOUBLE: FIXED64,
    FieldDescriptor.TYPE_FLOAT: FIXED32,
    FieldDescriptor.TYPE_STRING: LENGTH_DELIMITED,
    FieldDescriptor.TYPE_BYTES: LENGTH_DELIMITED,
    FieldDescriptor.TYPE_MESSAGE: LENGTH_DELIMITED,
}
_LAYER, _LAYER_TYPE = 100, 2  # NetParameter.layer and LayerParameter.type, in every dialect


class Fit(NamedTuple):
    """A dialect, and the fields of a net (see `misfits`) that do not fit it."""

    dialect: str
    misfits: list[str]


def detect(structure: bytes) -> Fit:
    """Returns the dialect that fits the layer types and fields of a binary NetParameter (without its weights).

    Returns BVLC if both fit equally, since such a file has the same meaning in both.
    """
    types = _layer_types(structure)
    fits = []
    for dialect in DIALECTS:
        fit = Fit(dialect, net_misfits(structure, dialect))
        fits.append((len(fit.misfits) + sum(name in FOREIGN_LAYER_TYPES[dialect] for name in types), fit))
        if not fits[-1][0]:
            break
    return min(fits, key=lambda counted: counted[0])[1]


def net_misfits(structure: bytes, dialect: str) -> list[str]:
    """Returns the fields of a binary NetParameter (without its weights) that do not fit a dialect."""
    net = READ_SCHEMAS[dialect].NetParameter
    return [] if _survives(net, structure) else misfits(net.DESCRIPTOR, structure)


def _survives(message_type: type[Message], data: bytes) -> bool:
    """Whether protobuf reads and rewrites the data without a change: a quick proof that every field fits.

    False does not prove a misfit: other encoders may order fields differently, or write bools that are not 0 or 1.
    """
    try:
        message: Any = message_type.FromString(data)
    except (DecodeError, UnicodeDecodeError):
        return False
    message.DiscardUnknownFields()
    return bool(message.SerializePartialToString() == data)


def _layer_types(structure: bytes) -> list[str]:
    return [
        _layer_type(structure, layer)
        for layer in fields(structure, 0, len(structure))
        if (layer.number, layer.wire_type) == (_LAYER, LENGTH_DELIMITED)
    ]


def _layer_type(structure: bytes, layer: Field) -> str:
    """Returns the layer's type, or ""; later fields are not read, since every Caffe writes the type second."""
    for field in fields(structure, layer.body, layer.end):
        if (field.number, field.wire_type) == (_LAYER_TYPE, LENGTH_DELIMITED):
            return structure[field.body : field.end].decode(errors="replace")
    return ""


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


def _inner_misfits(known: FieldDescriptor, field: Field, buffer: bytes) -> list[str]:
    try:
        return misfits(known.message_type, buffer, field.body, field.end)
    except FormatError:  # bytes of something else
        return [f"{known.containing_type.name}.{known.name}"]


def _fits(known: FieldDescriptor, field: Field, buffer: bytes) -> bool:
    if known.type == FieldDescriptor.TYPE_BOOL and field.wire_type == VARINT:
        # DataParameter 10 is BVLC's prefetch, a count, and the fork's shuffle.
        return read_varint(buffer, field.body, field.end)[0] <= 1
    packed = is_repeated(known) and field.wire_type == LENGTH_DELIMITED
    return field.wire_type == _WIRE_TYPES.get(known.type, VARINT) or packed
