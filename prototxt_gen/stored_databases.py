"""Reads facts from LMDBs that have no summary: numbers of images and labels, and the size of the pictures."""

from pathlib import Path

import cv2
import lmdb
import numpy as np
from google.protobuf.message import DecodeError

from caffe_compat.errors import FormatError
from caffe_compat.proto import caffe_pb2
from prototxt_gen.prepared import Prepared

SPLITS = ("train", "val", "test")


def read_databases(folder: str) -> Prepared | None:
    """The facts of SPLIT_image_lmdb and SPLIT_label_lmdb in a folder; None if there is no training database.

    Raises FormatError for a database that cannot be read.
    """
    splits = [split for split in SPLITS if _database(folder, split, "label").is_file()]
    if "train" not in splits or not _database(folder, "train", "image").is_file():
        return None
    labels = {split: _ends(_database(folder, split, "label")) for split in splits}
    return Prepared(
        labels=labels["train"][1][0].channels,
        images={split: count for split, (count, _) in labels.items()},
        sides={split: _side(_database(folder, split, "image")) for split in splits},
        stored=("lmdb",),
        unknown_labels=False,
    )


def channels_of(folder: str, split: str, kind: str) -> int:
    """The channels of the records of SPLIT_KIND_lmdb in a folder; 0 if there is no such database."""
    path = _database(folder, split, kind)
    return _ends(path)[1][0].channels if path.is_file() else 0


def _database(folder: str, split: str, kind: str) -> Path:
    return Path(folder) / f"{split}_{kind}_lmdb" / "data.mdb"


def _ends(path: Path) -> tuple[int, list[caffe_pb2.Datum]]:
    """The number of records, and the first and the last record."""
    try:
        with lmdb.open(str(path.parent), readonly=True, lock=False) as environment, environment.begin() as reader:
            count, cursor = environment.stat()["entries"], reader.cursor()
            values = [cursor.value() for move in (cursor.first, cursor.last) if move()]
            if not values:
                raise FormatError(f"{path.parent}: expected records, found none")
            return count, [caffe_pb2.Datum.FromString(value) for value in values]
    except (lmdb.Error, DecodeError) as error:
        raise FormatError(f"{path.parent}: cannot read the records that --data names: {str(error)[:120]}") from error


def _side(path: Path) -> int:
    """Height and width in pixels if both are equal in the first and the last picture; else 0."""
    sizes = {size for datum in _ends(path)[1] for size in _size(datum)} if path.is_file() else set()
    return sizes.pop() if len(sizes) == 1 else 0


def _size(datum: caffe_pb2.Datum) -> tuple[int, ...]:
    if not datum.encoded:
        return datum.height, datum.width
    pixels = cv2.imdecode(np.frombuffer(datum.data, np.uint8), cv2.IMREAD_UNCHANGED) if datum.data else None
    return (0, 0) if pixels is None else tuple(pixels.shape[:2])
