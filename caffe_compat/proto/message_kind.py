"""Which of Caffe's messages a binary file holds, for errors that name the file that was given instead."""

from pathlib import Path

from caffe_compat.errors import FormatError
from caffe_compat.proto import caffe_pb2
from caffe_compat.proto.blobs import NET_BLOBS
from caffe_compat.proto.detect_dialect import misfits
from caffe_compat.proto.dialects import srn_fork_pb2
from caffe_compat.proto.wire import fields

KINDS = {
    "NetParameter": "a net with weights (.caffemodel)",
    "SolverState": "a solver state (.solverstate)",
    "BlobProto": "a blob such as a mean image (.binaryproto)",
    "Datum": "a Datum",
}

#: NetParameter's layers today.
LAYER = 100


def refuse_other_messages(path: str | Path, data: bytes, name: str, wanted: str) -> None:
    """FormatError if the bytes are no message `name`: cut off, not protobuf, or another of Caffe's messages."""
    try:
        numbers = {field.number for field in fields(data, 0, len(data))}
        if name == "NetParameter" and LAYER in numbers:
            return  # no other message has such a field
        unfit = misfits(getattr(caffe_pb2, name).DESCRIPTOR, data)
    except FormatError as error:
        raise FormatError(
            f"{path}: expected {wanted}, but {error}; the file is cut off or of another kind: copy or download it again"
        ) from error
    if not unfit:
        return
    other = next((kind for kind in KINDS if kind != name and _is(kind, data)), None)
    if other is not None:
        raise FormatError(f"{path}: expected {wanted}, found {KINDS[other]}")
    if name != "NetParameter" or not numbers.intersection(NET_BLOBS):
        raise FormatError(f"{path}: expected {wanted}, but {', '.join(unfit[:3])} do not fit; give another file")


def _is(name: str, data: bytes) -> bool:
    """Whether the bytes are such a message in any dialect."""
    return any(not misfits(getattr(schema, name).DESCRIPTOR, data) for schema in (caffe_pb2, srn_fork_pb2))
