"""Translates nets between the two wire dialects and our own schema, and detects the dialect of a binary net.

Field numbers mean different things in BVLC Caffe and in the Caffe that ships with SRN (137 is embed_param or bn_param).
All messages in memory are of `caffe_pb2`, which has BVLC's field numbers plus those of other forks, so BVLC files are
decoded directly. Files of the SRN fork are decoded with the fork's schema and copied by field names.
"""

from types import ModuleType
from typing import Any, NamedTuple, TypeVar, cast

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import DecodeError, Message

from caffe_compat.errors import DialectError, some_of
from caffe_compat.proto import caffe_pb2
from caffe_compat.proto.dialects import bvlc_pb2, srn_fork_pb2
from caffe_compat.proto.dialects.layer_types import KNOWN_TO
from caffe_compat.proto.dialects.srn_fork import in_words_of_srn_fork
from caffe_compat.proto.wire import LENGTH_DELIMITED, WireField, decode, fields, is_repeated, misfits

MessageType = TypeVar("MessageType", bound=Message)

BVLC, SRN_FORK, OWN = "bvlc", "srn_fork", "own"
DIALECTS = (BVLC, SRN_FORK)
READ_SCHEMAS: dict[str, ModuleType] = {BVLC: caffe_pb2, SRN_FORK: srn_fork_pb2, OWN: caffe_pb2}
WRITE_SCHEMAS: dict[str, ModuleType] = {BVLC: bvlc_pb2, SRN_FORK: srn_fork_pb2, OWN: caffe_pb2}

#: The name of a dialect's Caffe in `KNOWN_TO`.
CAFFES = {BVLC: "BVLC", SRN_FORK: "SRN fork"}
#: The layer types that run here but not in a dialect's Caffe.
FOREIGN_LAYER_TYPES = {
    dialect: frozenset(name for name, caffes in KNOWN_TO.items() if caffe not in caffes)
    for dialect, caffe in CAFFES.items()
} | {OWN: frozenset()}
_LAYER, _LAYER_TYPE = 100, 2  # NetParameter.layer and LayerParameter.type, in every dialect
_NAMED_BY_TYPE = ("LayerParameter", "V1LayerParameter")


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


def _layer_type(structure: bytes, layer: WireField) -> str:
    """Returns the layer's type, or ""; later fields are not read, since every Caffe writes the type second."""
    for field in fields(structure, layer.body, layer.end):
        if (field.number, field.wire_type) == (_LAYER_TYPE, LENGTH_DELIMITED):
            return structure[field.body : field.end].decode(errors="replace")
    return ""


def decode_net(structure: bytes, dialect: str) -> caffe_pb2.NetParameter:
    """Returns the net in bytes of a dialect, in our schema; FormatError if the bytes are not a net."""
    message = decode(structure, READ_SCHEMAS[dialect].NetParameter)
    return copy_fields(message, caffe_pb2.NetParameter, OWN)


def encode_net(net: caffe_pb2.NetParameter, dialect: str) -> bytes:
    """Returns a net as bytes of a dialect; DialectError names the layer and the missing type or field."""
    if dialect not in WRITE_SCHEMAS:
        raise DialectError(f"no dialect '{dialect}'; choose from auto, {', '.join(WRITE_SCHEMAS)}")
    return bytes(in_dialect(net, dialect).SerializeToString(deterministic=True))


def in_dialect(net: caffe_pb2.NetParameter, dialect: str) -> Message:
    """Returns a net in a dialect's schema, for binary and text files that a Caffe of this dialect loads."""
    if dialect == SRN_FORK:
        net = in_words_of_srn_fork(net)
    for layer in net.layer:
        if layer.type in FOREIGN_LAYER_TYPES[dialect]:
            raise DialectError(
                f"layer '{layer.name}' ({layer.type}): Caffe of the {dialect} dialect has no layer of this type"
                f"{_whose(layer.type)}; write dialect '{_dialect_with(layer.type)}', or exchange the layer"
            )
    theirs: Message = copy_fields(net, WRITE_SCHEMAS[dialect].NetParameter, dialect)
    missing = missing_fields(theirs)
    if missing:
        raise DialectError(f"net '{net.name}': Caffe requires {', '.join(missing)}, which no value is set for")
    return theirs


def _dialect_with(layer_type: str) -> str:
    """Returns the first dialect whose Caffe has the type; OWN if neither has."""
    return next((dialect for dialect in DIALECTS if layer_type not in FOREIGN_LAYER_TYPES[dialect]), OWN)


def _whose(layer_type: str) -> str:
    """Returns the text " (known to ...)" that names the third Caffes with this type, or ""."""
    caffes = KNOWN_TO[layer_type] - set(CAFFES.values())
    is_third = _dialect_with(layer_type) == OWN and caffes
    return f" (known to {', '.join(sorted(caffes))})" if is_third else ""


def encode_nearest(net: caffe_pb2.NetParameter) -> tuple[bytes, str, list[str]]:
    """Returns a net's bytes, their dialect, and the fields that the dialect lacks.

    Selects a dialect with all types and fields, or else the nearest. A snapshot must not fail for a data layer's
    field, since a .caffemodel is read by layer names and blobs. BVLC's Caffe skips unknown fields, so a BVLC file
    holds them under this program's own numbers.
    """
    dialect = dialect_of(net)
    if can_be_written(net, dialect):
        return encode_net(net, dialect), dialect, []
    dialect = min(DIALECTS, key=lambda one: sum(layer.type in FOREIGN_LAYER_TYPES[one] for layer in net.layer))
    left_out: list[str] = []
    theirs: Message = copy_fields(net, WRITE_SCHEMAS[dialect].NetParameter, dialect, left_out)
    if dialect == BVLC:
        theirs = net
    return bytes(theirs.SerializePartialToString(deterministic=True)), dialect, left_out


def dialect_of(net: caffe_pb2.NetParameter) -> str:
    """Returns the dialect in which to write a net: SRN_FORK if only the fork has its types and fields, else BVLC."""
    return SRN_FORK if not can_be_written(net, BVLC) and can_be_written(net, SRN_FORK) else BVLC


def can_be_written(net: caffe_pb2.NetParameter, dialect: str) -> bool:
    """Whether a dialect has all layer types and fields of the net."""
    try:
        in_dialect(net, dialect)
    except DialectError:
        return False
    return True


def copy_fields(
    message: Message, target: type[MessageType], dialect: str, left_out: list[str] | None = None
) -> MessageType:
    """Returns the message in the schema of `target`, or the message itself if it has this schema already.

    Enums are matched by name. A list of equal values may become one value. Fields that the target lacks are left out
    if they have their default. DialectError for other missing fields; with a list `left_out`, they are left out
    instead and named in this list.
    """
    if message.DESCRIPTOR is target.DESCRIPTOR:
        return cast(MessageType, message)
    copy: MessageType = target()
    _Copier(dialect, left_out).copy(message, copy)
    return copy


def missing_fields(message: Any) -> list[str]:
    """Returns the paths of required fields without a value."""
    return list(message.FindInitializationErrors())


class _Copier:
    """Copies a message with its inner messages, and stores the present layer for error messages."""

    def __init__(self, dialect: str, left_out: list[str] | None) -> None:
        self.dialect = dialect
        self.left_out = left_out
        self.layer = ""

    def copy(self, source: Any, copy: Any) -> None:
        """Copies every set field of `source`."""
        if source.DESCRIPTOR.name in _NAMED_BY_TYPE:
            self.layer = f"layer '{source.name}' ({_type_name(source)}): "
        for field, value in source.ListFields():
            known = copy.DESCRIPTOR.fields_by_name.get(field.name)
            values = list(value) if is_repeated(field) else [value]
            if known is None:
                self._leave_out(field, value, copy)
            elif field.message_type is not None:
                self._copy_messages(values, known, copy)
            else:
                self._copy_scalars(field, values, known, copy)

    def _refuse(self, name: str, why: str) -> None:
        if self.left_out is None:
            raise DialectError(why)
        self.left_out.append(f"{self.layer}{name}")

    def _copy_messages(self, values: list[Message], known: FieldDescriptor, copy: Message) -> None:
        for value in values:
            inner = getattr(copy, known.name).add() if is_repeated(known) else getattr(copy, known.name)
            inner.SetInParent()  # keeps empty messages
            self.copy(value, inner)

    def _copy_scalars(self, field: FieldDescriptor, values: list[Any], known: FieldDescriptor, copy: Message) -> None:
        if field.enum_type is not None:
            names = [field.enum_type.values_by_number[value].name for value in values]
            values = [number for name in names if (number := self._enum_number(name, known)) is not None]
        if is_repeated(known):
            getattr(copy, known.name).extend(values)
        elif len(set(values)) == 1:
            setattr(copy, known.name, values[0])
        elif values:
            why = f"{self.layer}{_full_name(known)} may hold one value in the {self.dialect} dialect, found {values}"
            self._refuse(_full_name(known), why)

    def _enum_number(self, name: str, known: FieldDescriptor) -> int | None:
        """Returns the number of an enum's value in the other schema, or None if this value may be left out."""
        if name in known.enum_type.values_by_name:
            return int(known.enum_type.values_by_name[name].number)
        self._refuse(
            f"{_full_name(known)} {name}",
            f"{self.layer}{_full_name(known)} cannot be {name} in the {self.dialect} dialect; "
            f"it knows {some_of(known.enum_type.values_by_name)}",
        )
        return None

    def _leave_out(self, field: FieldDescriptor, value: Any, copy: Message) -> None:
        if is_repeated(field) or field.message_type is not None or value != field.default_value:
            self._refuse(
                f"{copy.DESCRIPTOR.name}.{field.name}",
                f"{self.layer}the {self.dialect} dialect has no {copy.DESCRIPTOR.name}.{field.name}; "
                "leave the field out, write the other dialect, or write dialect 'own' for this program alone",
            )


def _type_name(layer: Any) -> str:
    field = layer.DESCRIPTOR.fields_by_name["type"]
    return str(field.enum_type.values_by_number[layer.type].name if field.enum_type else layer.type)


def _full_name(field: FieldDescriptor) -> str:
    return f"{field.containing_type.name}.{field.name}"
