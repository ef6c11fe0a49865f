"""`compute_image_mean`: the mean image of a database (tools/compute_image_mean.cpp)."""

import argparse
import logging
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from caffe_compat.cli.databases import BACKENDS, open_database
from caffe_compat.cli.flags import add_quiet
from caffe_compat.cli.outputs import claim_files
from caffe_compat.cli.parser import CommandParser
from caffe_compat.cli.start import DONE, command_parser, run_program
from caffe_compat.data.sources.database import Database
from caffe_compat.data.sources.datums import datum_pixels, parse_datum
from caffe_compat.errors import DataError
from caffe_compat.proto import caffe_pb2
from caffe_compat.proto.file_bytes import write_bytes
from caffe_compat.terminal.progress import follow

logger = logging.getLogger("caffe_compat")


def parser() -> CommandParser:
    """Caffe's command line."""
    result = command_parser("compute_image_mean", "Compute the mean image of a database.",
                            "caffe-compat compute_image_mean train_lmdb mean.binaryproto")  # fmt: skip
    result.add_argument("database", metavar="INPUT_DB", help="the LMDB or LevelDB")
    result.add_argument("out", metavar="OUTPUT_FILE", nargs="?", help="the .binaryproto to write (default: only print)")
    add_quiet(result, "log warnings and errors only")
    result.add_argument("--backend", choices=BACKENDS, default="lmdb", help="the kind of database")
    return result


def run(arguments: argparse.Namespace) -> int:
    """Logs the mean of every channel; writes the mean image where a file is named."""
    claim_files([arguments.out])
    database = open_database(arguments.backend, arguments.database, "compute_image_mean")
    mean = mean_image(database)
    if arguments.out:
        logger.info("Write to %s", arguments.out)
        write_bytes(arguments.out, [_message(mean).SerializeToString()])
    logger.info("Number of channels: %d", len(mean))
    for channel, values in enumerate(mean):
        logger.info("mean_value channel [%d]: %g", channel, values.mean(dtype=np.float64))
    return DONE


def mean_image(database: Database) -> NDArray[np.float32]:
    """The mean of all records, (channels, height, width); they must be of one size."""
    logger.info("Starting iteration")
    total = _planes(database, 0).astype(np.float64)
    for ordinal in follow(range(1, len(database)), "adding images", "images"):
        planes = _planes(database, ordinal)
        if planes.shape != total.shape:
            raise DataError(
                f"compute_image_mean: Incorrect data field size {planes.size}: record {ordinal} of '{database.path}' "
                f"is {planes.shape}, the first is {total.shape}; make the images one size (--resize_height/width)"
            )
        total += planes
        if (ordinal + 1) % 10000 == 0:
            logger.info("Processed %d files.", ordinal + 1)
    if len(database) % 10000:
        logger.info("Processed %d files.", len(database))
    return total.astype(np.float32) / np.float32(len(database))


def _planes(database: Database, ordinal: int) -> NDArray[Any]:
    record = database.record(ordinal)
    owner = f"compute_image_mean: record '{record.key.decode(errors='replace')}' of '{database.path}'"
    return datum_pixels(parse_datum(record.value, owner), cv2.IMREAD_UNCHANGED, owner).transpose(2, 0, 1)


def _message(mean: NDArray[np.float32]) -> caffe_pb2.BlobProto:
    """With the four old size fields, as Caffe writes means: programs of its time read nothing else."""
    channels, height, width = mean.shape
    blob = caffe_pb2.BlobProto(num=1, channels=channels, height=height, width=width)
    blob.data.extend(mean.ravel().tolist())
    return blob


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    return run_program(parser(), run, argv)
