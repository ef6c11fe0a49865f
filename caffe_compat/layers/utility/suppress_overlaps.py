"""Non-maximum suppression, equal to SSD's (bbox_util.cpp, ApplyNMSFast)."""

from torch import Tensor

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
