"""Translates nets between the two wire dialects and our own schema.

Field numbers mean different things in BVLC Caffe and in the Caffe that ships with SRN (137 is embed_param or bn_param).
All messages in memory are of `caffe_pb2`, which has BVLC's field numbers plus those of other forks, so BVLC files are
decoded directly. Files of the SRN fork are decoded with the fork's schema and copied by field names.
"""

from types import ModuleType

from google.protobuf.message import Message

from caffe_compat.errors import DialectError
from caffe_compat.proto import caffe_pb2
from caffe_compat.proto.decode import decode
from caffe_compat.proto.dialects import bvlc_pb2, srn_fork_pb2
from caffe_compat.proto.dialects.copy_fields import copy_fields, missing_fields
from caffe_compat.proto.dialects.layer_types import KNOWN_TO
from caffe_compat.proto.dialects.srn_fork import in_words_of_srn_fork

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
