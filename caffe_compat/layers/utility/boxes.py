"""Boxes of SSD and YOLO: decoded from prior boxes and offsets, and kept where they do not overlap (bbox_util.cpp).

`detections_of_ssd` and `detections_of_yolo` are operators of torch: how many rows they return depends on values, and no
compiler can follow loops over boxes.
"""

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


def no_detections(items: int, like: Tensor) -> Tensor:
    """Rows (items, 7) that say that there is no detection: the item's number, then six times -1."""
    return torch.cat([torch.arange(items).to(like)[:, None], like.new_full((items, 6), -1.0)], dim=1)


@torch.library.custom_op("caffe_compat::detections_of_ssd", mutates_args=())
def detections_of_ssd(
    boxes: Tensor,
    scores: Tensor,
    *,
    background: int,
    least_score: float,
    looked_at_most: int,
    most_overlap: float,
    eta: float,
    kept_at_most: int,
) -> Tensor:
    """Rows (detections, 7): item, class, score and box, by item and class, then from the highest score to the lowest.

    `boxes` (N, priors, 1 or classes, 4) and `scores` (N, classes, priors) lie on the CPU. Boxes of each class with a
    score above `least_score` are kept by `suppress_overlaps`, of those `kept_at_most` for each item. -1 as a number
    means no limit. Without a detection, each item has a row of `no_detections`.
    """
    rows = []
    for item, (own_boxes, own_scores) in enumerate(zip(boxes, scores, strict=True)):
        found: list[tuple[int, int]] = []
        for label, of_class in enumerate(own_scores):
            if label != background:
                order = _by_score(of_class, least_score, looked_at_most)
                own = own_boxes[:, min(label, own_boxes.shape[1] - 1)]
                found += [(label, index) for index in suppress_overlaps(own, order, most_overlap, eta)]
        for label, index in _best(found, own_scores, kept_at_most):
            about = own_scores.new_tensor([item, label, own_scores[label, index]])
            rows.append(torch.cat([about, own_boxes[index, min(label, own_boxes.shape[1] - 1)]]))
    return torch.stack(rows) if rows else no_detections(len(boxes), boxes)


def _by_score(scores: Tensor, least: float, most: int) -> list[int]:
    """The numbers of at most `most` scores above `least`, from the highest on."""
    order = scores.argsort(descending=True, stable=True)
    order = order[scores[order] > least]
    return list((order[:most] if most > -1 else order).tolist())


def _best(found: list[tuple[int, int]], scores: Tensor, most: int) -> list[tuple[int, int]]:
    """At most `most` places of the highest scores, in the order of their classes."""
    if not -1 < most < len(found):
        return found
    found = sorted(found, key=lambda place: -float(scores[place]))
    return sorted(found[:most], key=lambda place: place[0])


@torch.library.custom_op("caffe_compat::detections_of_yolo", mutates_args=())
def detections_of_yolo(found: Tensor, items: int, most_overlap: float) -> Tensor:
    """Rows (detections, 7): 0, then a row of `found` (boxes, 6), which are class, score and corners.

    Boxes are kept from the highest score on, without those that overlap a kept one by `most_overlap` or more. Without
    a detection, the rows are those of `no_detections`.
    """
    found = found[found[:, 1].argsort(descending=True, stable=True)]
    kept: list[int] = []
    for index in range(len(found)):
        if not kept or float(overlaps(found[index, 2:], found[kept, 2:]).max()) < most_overlap:
            kept.append(index)
    return torch.cat([found.new_zeros(len(kept), 1), found[kept]], dim=1) if kept else no_detections(items, found)


@detections_of_ssd.register_fake
@detections_of_yolo.register_fake
def _(boxes: Tensor, *_rest: object, **_limits: object) -> Tensor:
    return boxes.new_empty(torch.library.get_ctx().new_dynamic_size(), 7)
