"""Non-maximum suppression as SSD does it (bbox_util.cpp, ApplyNMSFast)."""

from torch import Tensor

#: Below it an adaptive threshold shrinks no further.
LEAST_ADAPTED = 0.5


def suppress_overlaps(boxes: Tensor, order: list[int], threshold: float, eta: float = 1.0) -> list[int]:
    """Those of the boxes (..., 4), looked at in this order, that overlap none kept before by more than the threshold.

    With eta below 1 each box that is kept multiplies the threshold by it, while that is above a half.
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
    """Intersection over union of a box (4) with others (N, 4); 0 where they do not meet."""
    low, high = box[:2].maximum(others[:, :2]), box[2:].minimum(others[:, 2:])
    common = (high - low).clamp(min=0).prod(dim=1)
    union = _area(box[None]) + _area(others) - common
    return (common / union).where(common > 0, 0.0)


def _area(boxes: Tensor) -> Tensor:
    """0 for boxes whose corners are the wrong way round."""
    return (boxes[:, 2:] - boxes[:, :2]).clamp(min=0).prod(dim=1)
