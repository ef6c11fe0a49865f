"""SSD's boxes: decoded from prior boxes and offsets, and kept where they do not overlap (bbox_util.cpp)."""

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


#: An adaptive threshold at or below this value shrinks no further.
LEAST_ADAPTED = 0.5


def suppress_overlaps(boxes: Tensor, order: list[int], threshold: float, eta: float = 1.0) -> list[int]:
    """Indices of boxes to keep, visited in `order`: a box is dropped if it overlaps a kept box too much.

    Overlap is intersection over union, compared with `threshold`. Every kept box multiplies the threshold by `eta` if
    `eta` is below 1 and the threshold above 0.5.
    """
    kept: list[int] = []
    for index in order:
        if kept and float(overlaps(boxes[index], boxes[kept]).max()) > threshold:
            continue
        kept.append(index)
        if eta < 1 and threshold > LEAST_ADAPTED:
            threshold *= eta
    return kept


def overlaps(box: Tensor, others: Tensor) -> Tensor:
    """Intersection over union (N,) of a box (4,) with others (N, 4); 0 for boxes without a common area."""
    low, high = box[:2].maximum(others[:, :2]), box[2:].minimum(others[:, 2:])
    common = (high - low).clamp(min=0).prod(dim=1)
    union = _area(box[None]) + _area(others) - common
    return (common / union).where(common > 0, 0.0)


def _area(boxes: Tensor) -> Tensor:
    """Areas (N,) of boxes (N, 4); 0 for a box whose corners are in the wrong order."""
    return (boxes[:, 2:] - boxes[:, :2]).clamp(min=0).prod(dim=1)
