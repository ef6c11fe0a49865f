"""How SSD's predictions say a box as an offset from a prior box (bbox_util.cpp, DecodeBBox)."""

from collections.abc import Callable

import torch
from torch import Tensor


def from_corners(prior: Tensor, offset: Tensor) -> Tensor:
    """Both corners moved."""
    return prior + offset


def from_corners_by_size(prior: Tensor, offset: Tensor) -> Tensor:
    """Both corners moved, in parts of the prior's width and height."""
    size = prior[..., 2:] - prior[..., :2]
    return prior + offset * torch.cat([size, size], dim=-1)


def from_centre_and_size(prior: Tensor, offset: Tensor) -> Tensor:
    """The centre moved in parts of the prior's size, the size times e to the offset."""
    size = prior[..., 2:] - prior[..., :2]
    centre = offset[..., :2] * size + (prior[..., :2] + prior[..., 2:]) / 2
    half = offset[..., 2:].exp() * size / 2
    return torch.cat([centre - half, centre + half], dim=-1)


#: By code_type: (..., 4) priors and offsets, both (xmin, ymin, xmax, ymax), to boxes.
CODES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "CORNER": from_corners,
    "CENTER_SIZE": from_centre_and_size,
    "CORNER_SIZE": from_corners_by_size,
}
