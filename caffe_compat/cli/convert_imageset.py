"""`convert_imageset`: writes a list of images and labels into a database (tools/convert_imageset.cpp)."""

import logging
import os
import random
from collections.abc import Sequence
from pathlib import Path

import cv2

from caffe_compat.cli.databases import create_database
from caffe_compat.cli.flags import Flag, FlagError, Flags
from caffe_compat.data.datum import Pixels, encoded_datum, image_to_datum, record_key
from caffe_compat.data.sources.image_file import read_image
from caffe_compat.errors import DataError
from caffe_compat.proto import caffe_pb2

USAGE = "convert_imageset [FLAGS] ROOTFOLDER/ LISTFILE DB_NAME"
FLAGS = (
    Flag("gray", False, "when this option is on, treat images as grayscale ones"),
    Flag("shuffle", False, "randomly shuffle the order of images and their labels"),
    Flag("backend", "lmdb", "the backend {lmdb, leveldb} for storing the result"),
    Flag("resize_width", 0, "width images are resized to"),
    Flag("resize_height", 0, "height images are resized to"),
    Flag("check_size", False, "when this option is on, check that all the datum have the same size"),
    Flag("encoded", False, "when this option is on, the encoded image will be save in datum"),
    Flag("encode_type", "", "optional: what type should we encode the image as ('png','jpg',...)"),
)

logger = logging.getLogger("caffe_compat")

Line = tuple[str, int]  # an image's name and its label


def run(flags: Flags, arguments: Sequence[str]) -> int:
    """Writes every image that can be read; the others are logged and left out, as in Caffe."""
    if len(arguments) < 3:
        logger.error("Usage: %s", USAGE)
        return 1
    root, list_file, database = arguments[:3]
    if flags.encode_type and not flags.encoded:
        logger.info("encode_type specified, assuming encoded=true.")
    lines = read_list(list_file)
    if flags.shuffle:
        logger.info("Shuffling data")
        random.shuffle(lines)
    logger.info("A total of %d images.", len(lines))
    written = _write(flags, root, lines, database)
    if written < len(lines):
        logger.error("%d of %d images could not be read and were left out", len(lines) - written, len(lines))
    return 0


def read_list(path: str) -> list[Line]:
    """The names and labels of a list file; the label stands after the last space, so that names may have spaces."""
    try:
        text = Path(path).read_text()
    except OSError as error:
        raise DataError(f"{path}: cannot read the list of images: {error.strerror}") from error
    return [_read_line(line, f"{path}, line {number}") for number, line in enumerate(text.rstrip().splitlines(), 1)]


def _read_line(line: str, place: str) -> Line:
    name, _, label = line.rstrip().rpartition(" ")
    try:
        return name, int(label)
    except ValueError as error:
        raise DataError(f"{place}: expected 'NAME LABEL' with a whole number as label, got '{line}'") from error


def _write(flags: Flags, root: str, lines: list[Line], path: str) -> int:
    """The number of images written."""
    count, size = 0, None
    with create_database(flags.backend, path) as database:
        for ordinal, (name, label) in enumerate(lines):
            try:
                datum = _datum(flags, os.path.join(root, "") + name if root else name, label)
            except DataError as error:
                logger.error("%s", error)
                continue
            size = _checked_size(datum, size, name) if flags.check_size else size
            database.put(record_key(ordinal, name), datum)
            count += 1
            if count % 1000 == 0:
                logger.info("Processed %d files.", count)
    if count % 1000:
        logger.info("Processed %d files.", count)
    return count


def _checked_size(datum: caffe_pb2.Datum, expected: int | None, name: str) -> int:
    if expected is not None and len(datum.data) != expected:
        raise FlagError(f"Incorrect data field size {len(datum.data)}: '{name}' does not have the {expected} bytes "
                        "of the first image; resize the images or drop --check_size")  # fmt: skip
    return expected if expected is not None else datum.channels * datum.height * datum.width


def _datum(flags: Flags, file: str, label: int) -> caffe_pb2.Datum:
    flag = cv2.IMREAD_GRAYSCALE if flags.gray else cv2.IMREAD_COLOR
    height, width = max(0, flags.resize_height), max(0, flags.resize_width)
    image = read_image(file, flag, "convert_imageset", height, width)
    encoding = _encoding(flags, file)
    if not encoding:
        return image_to_datum(image, label)
    if not height and not width and _has_extension(file, encoding):
        return encoded_datum(Path(file).read_bytes(), label)
    return encoded_datum(_encode(image, encoding, file), label)


def _encoding(flags: Flags, file: str) -> str:
    """How to encode an image: as asked, or as its name says; nothing where images are stored raw."""
    if flags.encode_type or not flags.encoded:
        return str(flags.encode_type)
    return Path(file).suffix.removeprefix(".").lower()


def _has_extension(file: str, encoding: str) -> bool:
    """Whether a file needs no encoding (io.cpp, matchExt): a .jpeg is a jpg, but a .jpg is written anew as jpeg."""
    extension = Path(file).suffix.removeprefix(".").lower()
    return extension == encoding.lower() or (encoding.lower(), extension) == ("jpg", "jpeg")


def _encode(image: Pixels, encoding: str, file: str) -> bytes:
    try:
        encoded, content = cv2.imencode(f".{encoding}", image)
    except cv2.error as error:
        raise FlagError(f"--encode_type: OpenCV cannot write '{encoding}' ({file}); give png or jpg") from error
    if not encoded:
        raise DataError(f"convert_imageset: '{file}': cannot be encoded as {encoding}")
    return content.tobytes()
