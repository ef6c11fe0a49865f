"""Batches on their way to a device."""

from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor


def upload(values: NDArray[Any], device: torch.device) -> Tensor:
    """The array as a tensor on the device; on a GPU a copy that the program does not wait for.

    The array may be written again at once, except on the CPU, where the tensor is its memory.
    """
    host = torch.from_numpy(values)
    return host.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else host.to(device)
