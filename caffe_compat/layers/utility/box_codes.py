"""Decodes SSD's predicted offsets from prior boxes into boxes (bbox_util.cpp, DecodeBBox)."""

from collections.abc import Callable

import torch
from torch import Tensor


def from_corners(prior: Tensor, offset: Tensor) -> Tensor:
    """Boxes (..., 4): each corner coordinate of the prior plus its offset."""
    return prior + offset


def from_corners_by_size(prior: Tensor, offset: Tensor) -> Tensor:
    """Boxes (..., 4): corner coordinates plus offsets times the prior's width or height."""
    size = prior[..., 2:] - prior[..., :2]
    return prior + offset * torch.cat([size, size], dim=-1)


def from_centre_and_size(prior: Tensor, offset: Tensor) -> Tensor:
    """Boxes (..., 4): the centre moves by offsets times the prior's size; the size is scaled by exp(offset)."""
    size = prior[..., 2:] - prior[..., :2]
    centre = offset[..., :2] * size + (prior[..., :2] + prior[..., 2:]) / 2
    half = offset[..., 2:].exp() * size / 2
    return torch.cat([centre - half, centre + half], dim=-1)


#: By code_type: function of priors and offsets, (..., 4) in the order (xmin, ymin, xmax, ymax), that returns boxes.
CODES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "CORNER": from_corners,
    "CENTER_SIZE": from_centre_and_size,
    "CORNER_SIZE": from_corners_by_size,
}
