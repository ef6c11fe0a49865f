"""Datum messages, as databases hold them, and the source of the Data layer, which reads them (data_layer.cpp, io.cpp).

A Datum is an image, raw or as a file, or an array of floats, with a label (data_transformer.cpp, caffe/io.py).
"""

import logging
from collections.abc import Sequence
from typing import Any, cast

import cv2
import numpy as np
from google.protobuf.message import DecodeError
from numpy.typing import NDArray

from caffe_compat.data.draws import Draws
from caffe_compat.data.image_size import refuse_bomb
from caffe_compat.data.sources.database import Database, KeyValue
from caffe_compat.data.sources.leveldb import LevelDb
from caffe_compat.data.sources.lmdb import Lmdb
from caffe_compat.data.sources.shards import open_shards
from caffe_compat.data.sources.source import Item, Source
from caffe_compat.errors import DataError, ShapeError
from caffe_compat.proto import caffe_pb2

logger = logging.getLogger("caffe_compat")


Pixels = NDArray[Any]


def record_key(ordinal: int, name: str) -> bytes:
    """The key of a record, as in convert_imageset and in the released label databases: '%08d_name'."""
    return f"{ordinal:08d}_{name}".encode(errors="surrogateescape")


def parse_datum(value: bytes | memoryview, owner: str) -> caffe_pb2.Datum:
    """Parses the bytes of a Datum; DataError, beginning with `owner`, for anything else."""
    datum = caffe_pb2.Datum()
    try:
        datum.ParseFromString(cast(bytes, value))  # protobuf also reads views, and does not copy them
    except DecodeError as error:
        raise DataError(
            f"{owner}: not a Datum ({len(value)} bytes); the record is corrupt or of another kind"
        ) from error
    return datum


def decode_image(encoded: bytes | memoryview, flag: int, owner: str) -> Pixels:
    """Decodes a JPEG, PNG or other image to uint8 (height, width, channels), in the order blue, green, red.

    Raises DataError, before memory is allocated, if the file declares more pixels than the limit.
    """
    refuse_bomb(encoded, owner)
    buffer = np.frombuffer(encoded, np.uint8)
    try:
        image = cv2.imdecode(buffer, flag) if buffer.size else None
    except cv2.error as error:
        raise DataError(f"{owner}: could not decode the image ({error.err or 'OpenCV refuses it'})") from error
    if image is None:
        raise DataError(f"{owner}: could not decode the image ({buffer.size} bytes)")
    if image.dtype != np.uint8:
        raise DataError(f"{owner}: image data type must be unsigned byte, found {image.dtype}; convert it to 8 bits")
    return image if image.ndim == 3 else image[..., None]


def datum_pixels(datum: caffe_pb2.Datum, flag: int, owner: str) -> Pixels:
    """The content of a Datum as (height, width, channels): uint8 for raw and encoded images, else float32.

    Raw data keeps its memory order, channels first: the result is a view with permuted axes.
    """
    if datum.encoded:
        return decode_image(datum.data, flag, owner)
    return _planes(datum, owner).transpose(1, 2, 0)


def _planes(datum: caffe_pb2.Datum, owner: str) -> Pixels:
    data = datum.data
    values = np.frombuffer(data, np.uint8) if data else np.array(datum.float_data, np.float32)
    shape = (datum.channels, datum.height, datum.width)
    if min(shape) < 1 or values.size != shape[0] * shape[1] * shape[2]:
        raise DataError(f"{owner}: the Datum says {shape} (channels, height, width) but holds {values.size} values")
    return values.reshape(shape)


def datum_to_array(datum: caffe_pb2.Datum) -> Pixels:
    """The raw content (channels, height, width), uint8 or float32, like pycaffe's io.datum_to_array."""
    return _planes(datum, "datum")


def array_to_datum(array: Pixels, label: int | None = None) -> caffe_pb2.Datum:
    """A Datum of an array (channels, height, width): bytes for uint8, float_data for anything else."""
    if array.ndim != 3:
        raise ShapeError(f"a Datum holds 3 axes (channels, height, width), got an array of shape {array.shape}")
    channels, height, width = array.shape
    datum = caffe_pb2.Datum(channels=channels, height=height, width=width)
    if array.dtype == np.uint8:
        datum.data = array.tobytes()
    else:
        datum.float_data.extend(array.astype(float).ravel().tolist())
    if label is not None:
        datum.label = label
    return datum


def image_to_datum(image: Pixels, label: int | None = None) -> caffe_pb2.Datum:
    """A raw Datum of a uint8 image (height, width[, channels]), equal to that of CVMatToDatum."""
    if image.dtype != np.uint8:
        raise DataError(f"image data type must be unsigned byte, found {image.dtype}")
    datum = array_to_datum(np.atleast_3d(image).transpose(2, 0, 1), label)
    datum.encoded = False
    return datum


def encoded_datum(encoded: bytes, label: int | None = None) -> caffe_pb2.Datum:
    """A Datum that contains the bytes of an image file."""
    datum = caffe_pb2.Datum(data=encoded, encoded=True)
    if label is not None:
        datum.label = label
    return datum


BACKENDS = {"LMDB": Lmdb, "LEVELDB": LevelDb}


class Datums(Source[KeyValue]):
    """Raw, float and encoded Datum messages from one or several databases; `flag` is cv2's flag for encoded ones."""

    def __init__(self, source: str, backend: str, flag: int, owner: str) -> None:
        self._owner = owner
        self._flag = flag
        self._database: Database = open_shards(source, owner, BACKENDS[backend])

    def __len__(self) -> int:
        return len(self._database)

    def fetch(self, ordinals: Sequence[int]) -> list[KeyValue]:
        """The records with these numbers."""
        return [self._database.record(ordinal) for ordinal in ordinals]

    def load(self, record: KeyValue, draws: Draws) -> Item:
        """The pixels and the label of a Datum."""
        owner = f"{self._owner}: record '{record.key.decode(errors='replace')}' of '{self._database.path}'"
        datum = parse_datum(record.value, owner)
        return Item(datum_pixels(datum, self._flag, owner), float(datum.label))

    def first(self) -> Item:
        """The first record; logs a warning if a flag for encoded images is set but records are raw."""
        record = self.fetch([0])[0]
        if self._flag != cv2.IMREAD_UNCHANGED and not self.are_encoded():
            logger.warning(
                "%s: force_color and force_gray only for encoded datum; '%s' is raw", self._owner, self._database.path
            )
        return self.load(record, Draws())

    def are_encoded(self) -> bool:
        """Whether records hold image files, judged by the first record."""
        return bool(parse_datum(self.fetch([0])[0].value, self._owner).encoded)

    def key(self, ordinal: int) -> bytes:
        """The key of the record with this number."""
        return self._database.record(ordinal).key

    def check(self) -> None:
        """Reads the structure of the databases, then reads and decodes every record."""
        self._database.check()
        super().check()

    def close(self) -> None:
        """Closes the databases."""
        self._database.close()
