"""Takes BlobProtos as NumPy arrays out of a message's bytes, and puts them back, without decoding the numbers.

`take_out` splits a NetParameter or SolverState into its structure and the places of its blobs. In the structure, every
blob is a placeholder that holds only the blob's index. `put_back` is the inverse.
"""

from collections.abc import Iterator, Mapping, Sequence
from math import prod
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from caffe_compat.errors import FormatError
from caffe_compat.proto import caffe_pb2
from caffe_compat.proto.wire import (
    LENGTH_DELIMITED,
    VARINT,
    WireField,
    decode,
    delimited_key,
    fields,
    read_varint,
    varint,
    varint_field,
)

Blob: TypeAlias = NDArray[np.float32]
Place: TypeAlias = tuple[int, int]
Chunk: TypeAlias = bytes | memoryview

# Where blobs sit: field numbers on the way to a BlobProto, which is the empty mapping.
Tree: TypeAlias = Mapping[int, "Tree"]
BLOB: Tree = {}
NET_BLOBS: Tree = {100: {7: BLOB}, 2: {6: BLOB, 1: {50: BLOB}}}  # layer; layers (V1); layers.layer (V0)
STATE_BLOBS: Tree = {3: BLOB}  # history

SHAPE, DATA, RAW_DATA = 7, 5, 12
GRADIENTS = (6, 9, 11, 13)  # diff, double_diff, raw_diff_type, raw_diff: what snapshot_diff adds
#: NumPy's name for each type of raw_data. NVIDIA's Caffe writes float and half, OpenCV's shrinkCaffeModel half.
RAW_TYPES = {"DOUBLE": "<f8", "FLOAT": "<f4", "FLOAT16": "<f2", "INT": "<i4", "UINT": "<u4", "BOOL": "u1"}
#: Fields of C3D 1.0's BlobProto, which has an axis more: num, channels, length, height, width; then the data.
C3D_SIZES, C3D_DATA = (1, 2, 3, 4, 5), 6
LEGACY_SHAPE = ("num", "channels", "height", "width")
MOST_AXES = 32  # kMaxBlobAxes
PLACEHOLDER = 1  # BlobProto.num


def take_out(buffer: bytes, tree: Tree) -> tuple[bytes, list[Place]]:
    """Returns the message without its blobs, and the place of each blob in `buffer`."""
    places: list[Place] = []
    return _strip(buffer, 0, len(buffer), tree, places), places


def _strip(buffer: bytes, start: int, end: int, tree: Tree, places: list[Place]) -> bytes:
    parts = []
    for field in fields(buffer, start, end):
        branch = tree.get(field.number) if field.wire_type == LENGTH_DELIMITED else None
        if branch is None:
            parts.append(buffer[field.start : field.end])
            continue
        if branch is BLOB:
            body = varint_field(PLACEHOLDER, len(places))
            places.append((field.body, field.end))
        else:
            body = _strip(buffer, field.body, field.end, branch, places)
        parts.append(delimited_key(field.number, len(body)) + body)
    return b"".join(parts)


def put_back(
    structure: bytes, tree: Tree, blobs: Sequence[Blob], gradients: Sequence[Blob | None] = ()
) -> Iterator[Chunk]:
    """Yields the bytes of the whole message, in pieces. The placeholders in `structure` are indices into `blobs`."""
    pairs = list(zip(blobs, gradients or [None] * len(blobs), strict=True))
    return _fill(structure, 0, len(structure), tree, pairs)


def _fill(
    buffer: bytes, start: int, end: int, tree: Tree, blobs: Sequence[tuple[Blob, Blob | None]]
) -> Iterator[Chunk]:
    for field in fields(buffer, start, end):
        branch = tree.get(field.number)
        if branch is None:
            yield buffer[field.start : field.end]
            continue
        if branch is BLOB:
            placeholder = decode(buffer[field.body : field.end], caffe_pb2.BlobProto)
            chunks = list(encode_blob(*blobs[placeholder.num]))
        else:
            chunks = list(_fill(buffer, field.body, field.end, branch, blobs))
        yield delimited_key(field.number, sum(map(len, chunks)))
        yield from chunks


def encode_blob(array: Blob, gradient: Blob | None = None) -> Iterator[Chunk]:
    """Yields the bytes of a BlobProto as Caffe writes it: packed data, the gradient if given, then the shape."""
    dims = b"".join(map(varint, array.shape))
    packed = delimited_key(1, len(dims)) + dims if dims else b""
    for number, values in ((DATA, array), (GRADIENTS[0], gradient)):
        if values is not None and values.size:
            yield delimited_key(number, 4 * values.size)
            yield np.ascontiguousarray(values, "<f4").reshape(-1).data.cast("B")
    yield delimited_key(SHAPE, len(packed)) + packed


def decode_blob(buffer: bytes, place: Place) -> Blob:
    """Returns the BlobProto at `place` as a float32 array: a read-only view on `buffer` if it holds packed float32.

    Converts numbers of other types (double_data, and raw_data of NVIDIA's Caffe and OpenCV). FormatError if the number
    of values does not fit the shape.
    """
    packed: Blob | None = None
    raw: WireField | None = None
    rest: list[bytes] = []
    for field in fields(buffer, *place):
        if field.number == DATA and field.wire_type == VARINT:
            return _decode_c3d(buffer, place)
        if field.number == DATA and field.wire_type == LENGTH_DELIMITED and packed is None and not rest:
            packed = _floats(buffer, field)
        elif field.number == RAW_DATA and field.wire_type == LENGTH_DELIMITED:
            raw = field
        elif field.number not in GRADIENTS:
            rest.append(buffer[field.start : field.end])
    message = decode(b"".join(rest), caffe_pb2.BlobProto)
    shape = blob_shape(message)
    numbers = _numbers(packed, message)
    if raw is not None and not numbers.size:
        numbers = _raw_numbers(buffer, raw, message, prod(shape))
    return _shaped(numbers, shape, place)


def _shaped(numbers: Blob, shape: tuple[int, ...], place: Place) -> Blob:
    """Returns the numbers in the shape; FormatError for a shape that blobs cannot have, or another count of numbers."""
    if len(shape) > MOST_AXES or min(shape, default=0) < 0:
        raise FormatError(
            f"byte {place[0]}: expected a blob of at most {MOST_AXES} axes with sizes of at least 0, "
            f"found {len(shape)} axes of {shape[:8]}"
        )
    if prod(shape) != numbers.size:
        raise FormatError(f"byte {place[0]}: a blob of shape {shape} holds {numbers.size} numbers, not {prod(shape)}")
    return numbers.reshape(shape)


def _raw_numbers(buffer: bytes, raw: WireField, message: caffe_pb2.BlobProto, count: int) -> Blob:
    """Returns the numbers in raw_data as float32; if raw_data_type is not set, the size determines the type."""
    name = caffe_pb2.RawType.Name(message.raw_data_type) if message.HasField("raw_data_type") else ""
    size = raw.end - raw.body
    floats = {"FLOAT": 4, "FLOAT16": 2, "DOUBLE": 8}
    name = name or next((each for each, width in floats.items() if width * count == size), "FLOAT")
    dtype = np.dtype(RAW_TYPES[name])
    if size % dtype.itemsize:
        raise FormatError(f"byte {raw.start}: {size} bytes of raw_data are no multiple of {dtype.itemsize} ({name})")
    numbers = np.frombuffer(buffer, dtype, size // dtype.itemsize, raw.body)
    return numbers.astype(np.float32, copy=False)


def is_of_c3d(buffer: bytes) -> bool:
    """Whether a BlobProto is of C3D 1.0, whose fifth size is BVLC's field of data."""
    kinds = {(field.number, field.wire_type) for field in fields(buffer, 0, len(buffer))}
    return {(DATA, VARINT), (C3D_DATA, LENGTH_DELIMITED)} <= kinds


def _decode_c3d(buffer: bytes, place: Place) -> Blob:
    """Returns the array of a BlobProto of C3D 1.0.

    Matrices and vectors have (1, 1, 1) in front: the first axis is dropped, which gives four axes, BVLC's old form
    of matrices and vectors (see `same_shape`).
    """
    sizes = dict.fromkeys(C3D_SIZES, 0)
    numbers: list[Blob] = [np.zeros(0, np.float32)]
    for field in fields(buffer, *place):
        if field.number in sizes and field.wire_type == VARINT:
            sizes[field.number] = read_varint(buffer, field.body, field.end)[0]
        elif field.number == C3D_DATA and field.wire_type == LENGTH_DELIMITED:
            numbers.append(_floats(buffer, field))
    shape = tuple(sizes.values())
    return _shaped(np.concatenate(numbers), shape[1:] if shape[:3] == (1, 1, 1) else shape, place)


def has_gradient(buffer: bytes, place: Place) -> bool:
    """Whether the BlobProto at `place` holds a diff beside its data, as `snapshot_diff` writes it."""
    return any(field.number in GRADIENTS for field in fields(buffer, *place))


def _floats(buffer: bytes, field: WireField) -> Blob:
    """Returns the float32 numbers of a packed field as a view on `buffer`; FormatError for an odd size."""
    size = field.end - field.body
    if size % 4:
        raise FormatError(f"byte {field.start}: {size} bytes of float32 are not a multiple of 4")
    return np.frombuffer(buffer, "<f4", size // 4, field.body)


def _numbers(packed: Blob | None, message: caffe_pb2.BlobProto) -> Blob:
    """Joins the packed floats with numbers in other fields: unpacked floats, which some writers make, and float64."""
    loose = [np.array(part, np.float32) for part in (message.data, message.double_data) if len(part)]
    if packed is not None and not loose:
        return packed
    return np.concatenate([np.zeros(0, np.float32) if packed is None else packed, *loose])


def blob_shape(message: caffe_pb2.BlobProto) -> tuple[int, ...]:
    """Returns `shape`, or (num, channels, height, width) if any of the old fields is set (Blob::FromProto)."""
    if any(message.HasField(name) for name in LEGACY_SHAPE):
        return tuple(getattr(message, name) for name in LEGACY_SHAPE)
    return tuple(message.shape.dim)


def same_shape(source: tuple[int, ...], target: tuple[int, ...]) -> bool:
    """Whether two shapes are equal, or `source` is `target` with leading ones up to four axes (Blob::ShapeEquals)."""
    return source == target or (len(source) == 4 and len(target) < 4 and source == (1,) * (4 - len(target)) + target)
