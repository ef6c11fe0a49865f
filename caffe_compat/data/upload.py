"""Copies batches to a device."""

from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor


def upload(values: NDArray[Any], device: torch.device) -> Tensor:
    """The array as a tensor on the device.

    To a GPU, the copy runs in the background from memory of its own, so the caller may overwrite the array at once. On
    the CPU, the tensor shares the array's memory.
    """
    host = torch.from_numpy(values)
    return host.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else host.to(device)
