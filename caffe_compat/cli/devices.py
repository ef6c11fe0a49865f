"""--device: which devices a command runs on."""

import logging

import torch

from caffe_compat.net.device import require_cuda, set_device, set_mode_cpu, set_mode_gpu

logger = logging.getLogger("caffe_compat")


def gpus_of(device: str) -> list[int]:
    """The GPU numbers of a --device value: of `cuda:0,1` 0 and 1, of `cuda` 0, of `all` every one, of `cpu` none."""
    if device in ("", "cpu"):
        return []
    if device == "all":
        require_cuda()
        return list(range(torch.cuda.device_count()))
    return [int(number) for number in device.removeprefix("cuda").removeprefix(":").split(",") if number] or [0]


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
