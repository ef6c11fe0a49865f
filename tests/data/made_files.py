"""Small files of every kind that the sources read, with contents to compare with."""

from pathlib import Path

import cv2
import numpy as np

from caffe_compat.data.lmdb_writer import LmdbWriter
from caffe_compat.data.sources.datums import image_to_datum, record_key
from caffe_compat.proto import caffe_pb2

Pixels = np.ndarray


def picture(height: int, width: int, channels: int = 3, seed: int = 0) -> Pixels:
    """uint8 noise (height, width, channels)."""
    return np.random.default_rng(seed).integers(0, 256, (height, width, channels), dtype=np.uint8)


def read_picture(path: str | Path, flag: int = cv2.IMREAD_COLOR) -> Pixels:
    """Returns the pixels of an image file, which must be there."""
    pixels = cv2.imread(str(path), flag)
    assert pixels is not None, f"{path} is no image file that OpenCV reads"
    return pixels


def decode_picture(encoded: bytes, flag: int = cv2.IMREAD_COLOR) -> Pixels:
    """Returns the pixels that an image file of these bytes holds, as OpenCV reads them."""
    pixels = cv2.imdecode(np.frombuffer(encoded, np.uint8), flag)
    assert pixels is not None, "the bytes are no picture that OpenCV reads"
    return pixels


def write_pictures(folder: Path, pictures: list[Pixels]) -> Path:
    """PNG files and the list that names them with labels 10, 11, ...; returns the list."""
    lines = []
    for number, image in enumerate(pictures):
        cv2.imwrite(str(folder / f"a b{number}.png"), image)
        lines.append(f"a b{number}.png {10 + number}\n")
    path = folder / "list.txt"
    path.write_text("".join(lines))
    return path


def write_lmdb(path: Path, datums: list[caffe_pb2.Datum], keys: list[bytes] | None = None) -> Path:
    """An LMDB of these, under convert_imageset's keys unless others are given."""
    with LmdbWriter(str(path)) as writer:
        for number, datum in enumerate(datums):
            writer.put(keys[number] if keys else record_key(number, f"{number}.png"), datum)
    return path


def raw_lmdb(path: Path, pictures: list[Pixels]) -> Path:
    """An LMDB of raw images with labels 10, 11, ..."""
    return write_lmdb(path, [image_to_datum(image, 10 + number) for number, image in enumerate(pictures)])
