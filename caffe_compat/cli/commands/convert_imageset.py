"""`convert_imageset`: writes a list of images and labels into a database (tools/convert_imageset.cpp)."""

import argparse
import logging
import os
import random
from collections.abc import Sequence
from pathlib import Path

import cv2

from caffe_compat.cli.databases import BACKENDS, create_database
from caffe_compat.cli.flags import add_quiet, whole_number
from caffe_compat.cli.parser import BooleanAction, CommandParser, UsageError
from caffe_compat.cli.start import DONE, command_parser, run_program
from caffe_compat.data.image_size import DEFAULT_MOST_PIXELS, set_most_pixels
from caffe_compat.data.regular_file import open_text, read_regular
from caffe_compat.data.sources.datums import Pixels, encoded_datum, image_to_datum, record_key
from caffe_compat.data.sources.image_file import read_image
from caffe_compat.data.whole_number import int32
from caffe_compat.errors import DataError
from caffe_compat.proto import caffe_pb2
from caffe_compat.terminal.progress import follow

logger = logging.getLogger("caffe_compat")

Line = tuple[str, int]  # an image's name and its label

SWITCHES = {
    "gray": "treat images as grayscale",
    "shuffle": "shuffle the order of images and their labels",
    "check_size": "check that all images have the same size",
    "encoded": "save the encoded image in the record",
}


def parser() -> CommandParser:
    """Caffe's command line."""
    result = command_parser("convert_imageset", "Write a list of images and labels into a database.",
                            "caffe-compat convert_imageset --shuffle photos/ list.txt train_lmdb")  # fmt: skip
    add = result.add_argument
    add("root", metavar="ROOTFOLDER/", help="the folder in front of every name of the list")
    add("list", metavar="LISTFILE", help="one line per image: NAME LABEL")
    add("database", metavar="DB_NAME", help="the database to make")
    for name, text in SWITCHES.items():
        add(f"--{name}", action=BooleanAction, help=text)
    add("--backend", choices=BACKENDS, default="lmdb", help="the kind of database")
    for side in ("width", "height"):
        add(
            f"--resize_{side}", type=whole_number(), default=0, metavar="N", help=f"the {side} to resize to; 0 keeps it"
        )
    add("--max-pixels", type=whole_number(1), default=DEFAULT_MOST_PIXELS, metavar="N",
        help=f"leave out images that declare more pixels (default: {DEFAULT_MOST_PIXELS})")  # fmt: skip
    add_quiet(result, "log warnings and errors only")
    add("--encode_type", default="", metavar="TYPE", help="encode images as this: png, jpg ...; implies --encoded")
    return result


def run(arguments: argparse.Namespace) -> int:
    """Writes every image that can be read; the others are logged and left out, as in Caffe."""
    if arguments.encode_type and not arguments.encoded:
        logger.info("encode_type specified, assuming encoded=true.")
    set_most_pixels(arguments.max_pixels)
    lines = read_list(arguments.list)
    if arguments.shuffle:
        logger.info("Shuffling data")
        random.shuffle(lines)
    logger.info("A total of %d images.", len(lines))
    written = _write(arguments, lines)
    if written < len(lines):
        logger.error("%d of %d images could not be read and were left out", len(lines) - written, len(lines))
    return DONE


def read_list(path: str) -> list[Line]:
    """The names and labels of a list file; the label stands after the last space, so that names may have spaces."""
    with open_text(path, "convert_imageset", "cannot read the list of images") as file:
        lines = file.read().rstrip().split("\n")
    return [_read_line(line, f"{path}, line {number}") for number, line in enumerate(lines, 1)]


def _read_line(line: str, place: str) -> Line:
    name, _, label = line.rstrip().rpartition(" ")
    try:
        return name, int32(label)
    except ValueError as error:
        raise DataError(f"{place}: expected 'NAME LABEL' with a whole number as label, got {line[:80]!a}") from error


def _write(arguments: argparse.Namespace, lines: list[Line]) -> int:
    """The number of images written."""
    count, size = 0, None
    with create_database(arguments.backend, arguments.database) as database:
        for ordinal, (name, label) in enumerate(follow(lines, "writing images", "images")):
            try:
                datum = _datum(arguments, os.path.join(arguments.root, "") + name if arguments.root else name, label)
            except DataError as error:
                logger.error("%s", error)
                continue
            size = _checked_size(datum, size, name) if arguments.check_size else size
            database.put(record_key(ordinal, name), datum)
            count += 1
            if count % 1000 == 0:
                logger.info("Processed %d files.", count)
    if count % 1000:
        logger.info("Processed %d files.", count)
    return count


def _checked_size(datum: caffe_pb2.Datum, expected: int | None, name: str) -> int:
    if expected is not None and len(datum.data) != expected:
        raise UsageError(f"Incorrect data field size {len(datum.data)}: '{name}' does not have the {expected} bytes "
                        "of the first image; resize the images or drop --check_size")  # fmt: skip
    return expected if expected is not None else datum.channels * datum.height * datum.width


def _datum(arguments: argparse.Namespace, file: str, label: int) -> caffe_pb2.Datum:
    flag = cv2.IMREAD_GRAYSCALE if arguments.gray else cv2.IMREAD_COLOR
    height, width = max(0, arguments.resize_height), max(0, arguments.resize_width)
    image = read_image(file, flag, "convert_imageset", height, width)
    encoding = _encoding(arguments, file)
    if not encoding:
        return image_to_datum(image, label)
    if not height and not width and _has_extension(file, encoding):
        return encoded_datum(read_regular(file, "convert_imageset"), label)
    return encoded_datum(_encode(image, encoding, file), label)


def _encoding(arguments: argparse.Namespace, file: str) -> str:
    """How to encode an image: as asked, or as its name says; nothing where images are stored raw."""
    if arguments.encode_type or not arguments.encoded:
        return str(arguments.encode_type)
    return Path(file).suffix.removeprefix(".").lower()


def _has_extension(file: str, encoding: str) -> bool:
    """Whether a file needs no encoding (io.cpp, matchExt): a .jpeg is a jpg, but a .jpg is written anew as jpeg."""
    extension = Path(file).suffix.removeprefix(".").lower()
    return extension == encoding.lower() or (encoding.lower(), extension) == ("jpg", "jpeg")


def _encode(image: Pixels, encoding: str, file: str) -> bytes:
    try:
        encoded, content = cv2.imencode(f".{encoding}", image)
    except cv2.error as error:
        raise UsageError(f"--encode_type: OpenCV cannot write '{encoding}' ({file}); give png or jpg") from error
    if not encoded:
        raise DataError(f"convert_imageset: '{file}': cannot be encoded as {encoding}")
    return content.tobytes()


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    return run_program(parser(), run, argv)
