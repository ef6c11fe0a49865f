"""`device_query`: shows what the GPUs are (Caffe::DeviceQuery)."""

import logging
from collections.abc import Sequence

import torch

from caffe_compat.cli.caffe_flags import FLAGS
from caffe_compat.cli.devices import gpus_of
from caffe_compat.cli.flags import Flags
from caffe_compat.net.device import require_cuda

__all__ = ["FLAGS", "USAGE", "run"]

USAGE = "device_query --gpu=0,1|all"

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


def run(flags: Flags, arguments: Sequence[str]) -> int:
    """One block of lines a GPU."""
    logger.info("Querying GPUs %s", flags.gpu)
    for gpu in gpus_of(flags.gpu):
        require_cuda()
        properties = torch.cuda.get_device_properties(gpu)
        logger.info("%-31s%d", "Device id:", gpu)
        for line, field in PROPERTIES.items():
            if hasattr(properties, field):
                logger.info("%-31s%s", line, getattr(properties, field))
    return 0
