"""--device: which devices a command runs on."""

import logging

import torch

from caffe_compat.net.device import require_cuda, set_device, set_mode_cpu, set_mode_gpu

logger = logging.getLogger("caffe_compat")


def gpus_of(device: str) -> list[int]:
    """Returns the GPU numbers of a --device value: 0 and 1 for `cuda:0,1`, 0 for `cuda`, every GPU for `all`."""
    if device in ("", "cpu"):
        return []
    if device == "all":
        require_cuda()
        return list(range(torch.cuda.device_count()))
    return [int(number) for number in device.removeprefix("cuda").removeprefix(":").split(",") if number] or [0]


def use_first(gpus: list[int]) -> None:
    """Sets the first of these GPUs as the device of nets built from now on, or the CPU where there is none."""
    if not gpus:
        logger.info("Use CPU.")
        set_mode_cpu()
        return
    logger.info("Use GPU with device ID %d", gpus[0])
    use_gpu(gpus[0])
    logger.info("GPU device name: %s", torch.cuda.get_device_name(gpus[0]))


def use_gpu(index: int) -> None:
    """Sets this GPU as the device of nets built from now on."""
    set_device(index)
    set_mode_gpu()
