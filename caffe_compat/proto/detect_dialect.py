"""Which schema the bytes of a binary message fit, from its layer types and the wire types of its fields."""

from functools import lru_cache

from google.protobuf.descriptor import Descriptor, FieldDescriptor

from caffe_compat.errors import FormatError
from caffe_compat.proto.copy_fields import is_repeated
from caffe_compat.proto.dialect import DIALECTS, FOREIGN_LAYER_TYPES, READ_SCHEMAS
from caffe_compat.proto.wire import FIXED32, FIXED64, LENGTH_DELIMITED, VARINT, Field, fields, read_varint

_WIRE_TYPES = {
    FieldDescriptor.TYPE_DOUBLE: FIXED64,
    FieldDescriptor.TYPE_FLOAT: FIXED32,
    FieldDescriptor.TYPE_STRING: LENGTH_DELIMITED,
    FieldDescriptor.TYPE_BYTES: LENGTH_DELIMITED,
    FieldDescriptor.TYPE_MESSAGE: LENGTH_DELIMITED,
}
_LAYER, _LAYER_TYPE = 100, 2  # NetParameter.layer and LayerParameter.type, in every dialect


def detect(structure: bytes) -> str:
    """The dialect of a binary NetParameter (without its weights): the one that its layer types and fields fit.

    BVLC where both fit equally: such a file says the same in both.
    """
    fitting = (dialect for dialect in DIALECTS if not _misfit_count(structure, dialect))
    return next(fitting, None) or min(DIALECTS, key=lambda dialect: _misfit_count(structure, dialect))


def _misfit_count(structure: bytes, dialect: str) -> int:
    foreign = FOREIGN_LAYER_TYPES[dialect]
    return len(net_misfits(structure, dialect)) + sum(layer_type in foreign for layer_type in _layer_types(structure))


@lru_cache(maxsize=4)  # asked again when a file is read in the dialect that was detected
def net_misfits(structure: bytes, dialect: str) -> tuple[str, ...]:
    """Fields of a binary NetParameter (without its weights) that do not fit a dialect."""
    return tuple(misfits(READ_SCHEMAS[dialect].NetParameter.DESCRIPTOR, structure))


def _layer_types(structure: bytes) -> list[str]:
    return [
        structure[field.body : field.end].decode(errors="replace")
        for layer in fields(structure, 0, len(structure))
        if (layer.number, layer.wire_type) == (_LAYER, LENGTH_DELIMITED)
        for field in fields(structure, layer.body, layer.end)
        if (field.number, field.wire_type) == (_LAYER_TYPE, LENGTH_DELIMITED)
    ]


def misfits(descriptor: Descriptor, buffer: bytes, start: int = 0, end: int | None = None) -> list[str]:
    """Fields of the message in `buffer[start:end]` that a schema does not know or gives another wire type.

    Each is named `Message.field`, by its number where it has no name. FormatError if the bytes are no message at all.
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
