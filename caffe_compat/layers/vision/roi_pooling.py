"""ROIPooling of Fast R-CNN."""

import torch
from torch import Tensor

from caffe_compat.layers.caffes import SRN_FORK, Meaning
from caffe_compat.layers.registry import register_layer
from caffe_compat.layers.vision.regions import GridLayer
from caffe_compat.layers.windows import lowest_of


@register_layer("ROIPooling")
class ROIPooling(GridLayer):
    """Maximum of each bin of each region: (regions, C, pooled_h, pooled_w).

    Bottom 1 holds regions (image index, x1, y1, x2, y2), in pixels of the net's input, with both corners included.
    `spatial_scale` converts pixels to places of bottom 0. An empty bin gives 0. From yjxiong/caffe
    (roi_pooling_layer.cpp).
    """

    known_to = (SRN_FORK,)
    meanings = (
        Meaning(
            "Fast R-CNN and all forks that took it",
            "the maximum of each bin of a region",
            "roi_pooling_param with pooled_h and pooled_w",
        ),
        Meaning(
            "Intel",
            "the same by pooled_size",
            "pooled_size",
            "refused: write pooled_h and pooled_w",
        ),
    )
    example = "roi_pooling_param { pooled_h: 1 pooled_w: 1 }"
    field = "roi_pooling_param"

    def forward(self, features: Tensor, regions: Tensor) -> Tensor:
        images, corners = self.images_and_corners(features, regions)
        rows = _bin_members(corners[:, 1], corners[:, 3], self.bins[0], features.shape[2])
        columns = _bin_members(corners[:, 0], corners[:, 2], self.bins[1], features.shape[3])
        of_regions = features.index_select(0, images)
        # A bin is a range of rows times a range of columns, so the maximum can be taken along one axis after the other.
        pooled = _maxima(_maxima(of_regions, columns).transpose(2, 3), rows).transpose(2, 3)
        filled = rows.any(dim=2)[:, :, None] & columns.any(dim=2)[:, None, :]
        return torch.where(filled[:, None], pooled, 0.0)


def _bin_members(first: Tensor, last: Tensor, bins: int, size: int) -> Tensor:
    """Boolean (regions, bins, size): whether a bin of a region covers each of `size` places along an axis."""
    extent = (last - first + 1).clamp(min=1)[:, None]
    index = torch.arange(bins, device=first.device, dtype=first.dtype)
    step = extent / bins
    start = (index * step).floor() + first[:, None]
    end = ((index + 1) * step).ceil() + first[:, None]
    place = torch.arange(size, device=first.device, dtype=first.dtype)
    return (place >= start[..., None]) & (place < end[..., None])


def _maxima(values: Tensor, members: Tensor) -> Tensor:
    """Maxima per bin, (regions, C, lines, bins), from values (regions, C, lines, size).

    A gradient goes to the first place that holds the maximum.
    """
    return torch.stack(
        [
            values.masked_fill(~members[:, index, None, None, :], lowest_of(values)).max(dim=3).values
            for index in range(members.shape[1])
        ],
        dim=3,
    )
