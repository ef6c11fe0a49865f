"""Values between places along an axis, as matrices: what MaskResize, ImResize and ROIWarping compute with."""

import numpy as np
import torch
from torch import Tensor


def scaled_size(size: int, factor: float) -> int:
    """A size times a factor, multiplied in float32 and cut to a whole number as in C++."""
    return int(np.float32(size) * np.float32(factor))


def linear_weights(places: Tensor, size: int) -> Tensor:
    """Weights (..., size) that give the values at `places` (...) between the `size` places of an axis, linearly.

    Places up to half before the first or behind the last take its value; a place further out gets only zeros.
    """
    low = places.clamp(0, size - 1).floor()
    share = places.clamp(0, size - 1) - low
    index = torch.arange(size, dtype=places.dtype, device=places.device)
    weights = (index == low[..., None]) * (1 - share)[..., None] + (index == low[..., None] + 1) * share[..., None]
    return weights * ((places >= -0.5) & (places <= size - 0.5))[..., None]


def resampled(bottom: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """(N, C, height, width) times `rows` (new height, height) and `columns` (new width, width)."""
    return rows @ bottom @ columns.transpose(-1, -2)
