"""--gpu: which devices a command runs on."""

import logging

import torch

from caffe_compat.cli.flags import FlagError
from caffe_compat.net.device import require_cuda, set_device, set_mode_cpu, set_mode_gpu

logger = logging.getLogger("caffe_compat")


def gpus_of(text: str) -> list[int]:
    """The GPU numbers of a --gpu flag: `0,1`, `all`, or none of them."""
    if text in ("", "none"):
        return []
    if text == "all":
        require_cuda()
        return list(range(torch.cuda.device_count()))
    try:
        return [int(number) for number in text.split(",")]
    except ValueError as error:
        raise FlagError(f"flag '--gpu': expected numbers separated by commas, 'all' or 'none', got '{text}'") from error


def use_first(gpus: list[int]) -> None:
    """Runs on the first of these GPUs, or on the CPU where there are none; for test and time."""
    if not gpus:
        logger.info("Use CPU.")
        set_mode_cpu()
        return
    logger.info("Use GPU with device ID %d", gpus[0])
    use_gpu(gpus[0])
    logger.info("GPU device name: %s", torch.cuda.get_device_name(gpus[0]))


def use_gpu(index: int) -> None:
    """Runs on this GPU."""
    set_device(index)
    set_mode_gpu()
