"""`device_query`: shows what the GPUs are (Caffe::DeviceQuery)."""

import argparse
import logging
from collections.abc import Sequence

import torch

from caffe_compat.cli.caffe_flags import add_caffe_flags, warn_of_idle_flags
from caffe_compat.cli.devices import gpus_of
from caffe_compat.cli.parser import CommandParser
from caffe_compat.cli.start import DONE, command_parser, run_program
from caffe_compat.net.settings import require_cuda

logger = logging.getLogger("caffe_compat")

#: Caffe's lines, and the fields of torch's device properties that they show.
PROPERTIES = {
    "Major revision number:": "major",
    "Minor revision number:": "minor",
    "Name:": "name",
    "Total global memory:": "total_memory",
    "Total shared memory per block:": "shared_memory_per_block",
    "Total registers per block:": "regs_per_multiprocessor",
    "Warp size:": "warp_size",
    "Maximum threads per block:": "max_threads_per_block",
    "Clock rate:": "clock_rate",
    "Number of multiprocessors:": "multi_processor_count",
}


def parser() -> CommandParser:
    """Caffe's command line."""
    result = command_parser("device_query", "Show the properties of the GPUs.", "caffe-compat device_query --gpu=all")
    add_caffe_flags(result, ())
    return result


def run(arguments: argparse.Namespace) -> int:
    """Logs one block of lines per GPU."""
    warn_of_idle_flags(arguments)
    logger.info("Querying GPUs %s", arguments.device.removeprefix("cuda:"))
    for gpu in gpus_of(arguments.device):
        require_cuda()
        properties = torch.cuda.get_device_properties(gpu)
        logger.info("%-31s%d", "Device id:", gpu)
        for line, field in PROPERTIES.items():
            if hasattr(properties, field):
                logger.info("%-31s%s", line, getattr(properties, field))
    return DONE


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    return run_program(parser(), run, argv)
