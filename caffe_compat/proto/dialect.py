"""The two wire dialects: which one a binary file speaks, and copies between their schemas by field name.

Field numbers mean different things in BVLC Caffe and in the Caffe that ships with SRN (137 is embed_param or bn_param).
Everything in memory is `caffe_pb2`, whose numbers are BVLC's plus those of other forks, so that BVLC files decode
with it as they are; the SRN fork's files are decoded with that fork's schema and copied.
"""

from types import ModuleType
from typing import Any, TypeVar, cast

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import DecodeError, Message

from caffe_compat.errors import DialectError, FormatError
from caffe_compat.proto import caffe_pb2
from caffe_compat.proto.dialects import bvlc_pb2, srn_fork_pb2
from caffe_compat.proto.wire import FIXED32, FIXED64, LENGTH_DELIMITED, VARINT, fields, read_varint

BVLC, SRN_FORK, OWN = "bvlc", "srn_fork", "own"
DIALECTS = (BVLC, SRN_FORK)
READ_SCHEMAS: dict[str, ModuleType] = {BVLC: caffe_pb2, SRN_FORK: srn_fork_pb2, OWN: caffe_pb2}
WRITE_SCHEMAS: dict[str, ModuleType] = {BVLC: bvlc_pb2, SRN_FORK: srn_fork_pb2, OWN: caffe_pb2}

# Types that only one of the two Caffes registers.
LAYER_TYPES = {
    SRN_FORK: frozenset({"BN", "BatchReduction", "ROIPooling", "VideoData"}),
    BVLC: frozenset(
        {"BatchNorm", "Clip", "Crop", "ELU", "Embed", "Input", "LSTM", "LSTMUnit", "Parameter", "RNN", "Swish"}
    ),
}

MessageType = TypeVar("MessageType", bound=Message)

_WIRE_TYPES = {
    FieldDescriptor.TYPE_DOUBLE: FIXED64,
    FieldDescriptor.TYPE_FLOAT: FIXED32,
    FieldDescriptor.TYPE_STRING: LENGTH_DELIMITED,
    FieldDescriptor.TYPE_BYTES: LENGTH_DELIMITED,
    FieldDescriptor.TYPE_MESSAGE: LENGTH_DELIMITED,
}


def misfits(descriptor: Descriptor, buffer: bytes, start: int = 0, end: int | None = None) -> list[str]:
    """Fields of the message in `buffer[start:end]` that `descriptor` does not know or gives another wire type."""
    found = []
    for field in fields(buffer, start, len(buffer) if end is None else end):
        known = descriptor.fields_by_number.get(field.number)
        if known is None:
            found.append(f"{descriptor.name}.{field.number}")
        elif not _fits(known, field.wire_type, buffer, field.body):
            found.append(f"{descriptor.name}.{known.name}")
        elif known.message_type is not None:
            found += _inner_misfits(known, buffer, field.body, field.end)
    return found


def _inner_misfits(known: FieldDescriptor, buffer: bytes, start: int, end: int) -> list[str]:
    try:
        return misfits(known.message_type, buffer, start, end)
    except FormatError:  # bytes of something else
        return [f"{known.containing_type.name}.{known.name}"]


def _fits(known: FieldDescriptor, wire_type: int, buffer: bytes, body: int) -> bool:
    expected = _WIRE_TYPES.get(known.type, VARINT)
    if known.type == FieldDescriptor.TYPE_BOOL and wire_type == VARINT:
        # DataParameter 10 is BVLC's prefetch count, and the fork's shuffle.
        return read_varint(buffer, body, len(buffer))[0] <= 1
    packed = is_repeated(known) and wire_type == LENGTH_DELIMITED
    return wire_type == expected or packed


def detect(structure: bytes) -> str:
    """The dialect of a binary NetParameter (without its weights): the one that its layer types and fields fit.

    BVLC where both fit equally: such a file says the same in both.
    """
    scores = {name: _misfit_count(name, structure) for name in DIALECTS}
    return min(DIALECTS, key=lambda name: scores[name])


def _misfit_count(dialect: str, structure: bytes) -> int:
    foreign = LAYER_TYPES[SRN_FORK if dialect == BVLC else BVLC]
    found = misfits(READ_SCHEMAS[dialect].NetParameter.DESCRIPTOR, structure)
    return len(found) + sum(type_ in foreign for type_ in layer_types(structure))


def layer_types(structure: bytes) -> list[str]:
    """The type of every layer of a binary NetParameter, which both dialects keep in the same field."""
    return [
        structure[field.body : field.end].decode(errors="replace")
        for layer in fields(structure, 0, len(structure))
        if layer.number == 100 and layer.wire_type == LENGTH_DELIMITED
        for field in fields(structure, layer.body, layer.end)
        if field.number == 2 and field.wire_type == LENGTH_DELIMITED
    ]


def decode(name: str, structure: bytes, dialect: str) -> Message:
    """The message `name` (such as NetParameter) as our own, from bytes of a dialect."""
    theirs = getattr(READ_SCHEMAS[dialect], name)
    try:
        message: Message = theirs.FromString(structure)
    except DecodeError as error:
        raise FormatError(f"not a {name} of the {dialect} dialect ({error})") from error
    return convert(message, getattr(caffe_pb2, name))


def encode(message: Message, dialect: str) -> bytes:
    """Our message as bytes of a dialect; DialectError names the layer and field that it cannot say."""
    theirs = getattr(WRITE_SCHEMAS[dialect], message.DESCRIPTOR.name)
    return bytes(convert(message, theirs).SerializeToString(deterministic=True))


def dialect_of(net: caffe_pb2.NetParameter) -> str:
    """The dialect to write a net in: the SRN fork's if a layer has a type or field that only it knows, else BVLC's."""
    only_fork = LAYER_TYPES[SRN_FORK]
    if any(layer.type in only_fork for layer in net.layer):
        return SRN_FORK
    try:
        convert(net, bvlc_pb2.NetParameter)
    except DialectError:
        return SRN_FORK if _can_say(net, SRN_FORK) else BVLC
    return BVLC


def _can_say(net: caffe_pb2.NetParameter, dialect: str) -> bool:
    try:
        encode(net, dialect)
    except DialectError:
        return False
    return True


def convert(message: Message, target: type[MessageType]) -> MessageType:
    """A copy of `message` in another schema, field by field name; the message itself if it is of that schema."""
    if message.DESCRIPTOR is target.DESCRIPTOR:
        return cast(MessageType, message)
    copy: MessageType = target()
    _copy(message, copy, "")
    return copy


def is_repeated(field: FieldDescriptor) -> bool:
    """Whether a field is a list. In proto2 every other field knows whether it is set; protobuf 4 to 7 agree on that."""
    return not field.has_presence


def _copy(source: Message, copy: Message, where: str) -> None:
    where = _place(source) or where
    for field, value in source.ListFields():
        known = copy.DESCRIPTOR.fields_by_name.get(field.name)
        if known is None:
            _refuse_unless_default(field, value, copy, where)
        elif is_repeated(field) or is_repeated(known):
            _copy_list(field, value if is_repeated(field) else [value], known, copy, where)
        elif field.message_type is not None:
            getattr(copy, field.name).SetInParent()
            _copy(value, getattr(copy, field.name), where)
        else:
            setattr(copy, field.name, _scalar(field, value, known, copy, where))


def _copy_list(field: FieldDescriptor, values: Any, known: FieldDescriptor, copy: Message, where: str) -> None:
    if is_repeated(known) and field.message_type is not None:
        for value in values:
            _copy(value, getattr(copy, field.name).add(), where)
    elif is_repeated(known):
        getattr(copy, field.name).extend(_scalar(field, value, known, copy, where) for value in values)
    elif len(set(values)) == 1:
        setattr(copy, field.name, values[0])
    else:
        raise DialectError(
            f"{where}{copy.DESCRIPTOR.name}.{field.name} may hold one value in the {dialect_name(copy)} dialect, "
            f"found {list(values)}; use the fields that end in _h and _w"
        )


def _scalar(field: FieldDescriptor, value: Any, known: FieldDescriptor, copy: Message, where: str) -> Any:
    """The value, an enum's by name."""
    if field.enum_type is None:
        return value
    name = field.enum_type.values_by_number[value].name
    if name not in known.enum_type.values_by_name:
        raise DialectError(
            f"{where}{copy.DESCRIPTOR.name}.{field.name}: the {dialect_name(copy)} dialect has no {name}; "
            f"it has {', '.join(known.enum_type.values_by_name)}"
        )
    return known.enum_type.values_by_name[name].number


def _refuse_unless_default(field: FieldDescriptor, value: Any, copy: Message, where: str) -> None:
    """A field that says what holds without it may be left out."""
    if not is_repeated(field) and field.message_type is None and value == field.default_value:
        return
    raise DialectError(
        f"{where}the {dialect_name(copy)} dialect has no {copy.DESCRIPTOR.name}.{field.name}; "
        "leave the field out, write the other dialect, or write with dialect 'own'"
    )


def _place(message: Message) -> str:
    """How an error names the layer that it is about."""
    if message.DESCRIPTOR.name not in ("LayerParameter", "V1LayerParameter"):
        return ""
    field = message.DESCRIPTOR.fields_by_name["type"]
    type_name = field.enum_type.values_by_number[message.type].name if field.enum_type else message.type
    return f"layer '{message.name}' ({type_name}): "


def dialect_name(message: Message) -> str:
    """The dialect of a message's schema."""
    package = message.DESCRIPTOR.file.package
    return next((name for name in DIALECTS if package.endswith(name)), OWN)
