"""ROIPooling of Fast R-CNN."""

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from caffe_compat.errors import ShapeError
from caffe_compat.layers.base import Layer, LayerSpec, Shape, exactly
from caffe_compat.layers.caffes import SRN_FORK, Meaning
from caffe_compat.layers.registry import register_layer
from caffe_compat.layers.windows import LOWEST, require_positive


@register_layer("ROIPooling")
class ROIPooling(Layer):
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
    bottoms = exactly(2)
    no_gradient_to = frozenset({1})
    leaves_out_gradient_to = no_gradient_to
    allows_in_place = False

    def __init__(self, spec: LayerSpec) -> None:
        super().__init__(spec)
        params = spec.params("roi_pooling_param")
        self.bins: tuple[int, int] = (params.pooled_h, params.pooled_w)
        self.scale: float = params.spatial_scale
        require_positive(spec, "pooled_h and pooled_w", self.bins)

    def whole_numbers(self, *bottom_shapes: Shape) -> dict[int, int]:
        return {1: bottom_shapes[0][0]}  # the first number of a region is the index of an image in the batch

    def sample_bottoms(self, random: np.random.Generator, *bottom_shapes: Shape) -> dict[int, NDArray[np.float64]]:
        """Random regions (index, x1, y1, x2, y2) within the image, whose size is that of bottom 0 / `spatial_scale`."""
        features, regions = bottom_shapes[:2]
        count = math.prod(regions) // 5
        ends = np.array([features[3], features[2]]) / self.scale
        corners = np.sort(random.uniform(0, 1, (count, 2, 2)), axis=1) * ends
        images = random.integers(0, features[0], (count, 1))
        return {1: np.concatenate([images, corners.reshape(count, 4)], axis=1).reshape(regions)}

    def top_shapes(self, *bottom_shapes: Shape) -> list[Shape]:
        features, regions = bottom_shapes
        if len(features) != 4:
            raise ShapeError(f"{self.spec}: expected 4 axes (num, channels, height, width), got {list(features)}")
        if math.prod(regions[1:]) != 5 or not regions:
            raise ShapeError(
                f"{self.spec}: expected 5 numbers a region (index, x1, y1, x2, y2), got {math.prod(regions[1:])}"
            )
        return [(regions[0], features[1], *self.bins)]

    def forward(self, features: Tensor, regions: Tensor) -> Tensor:
        self.top_shapes(features.shape, regions.shape)
        regions = regions.detach().reshape(-1, 5)
        images = regions[:, 0].long()
        self._require_images(images, features.shape[0])
        corners = _rounded(regions[:, 1:] * self.scale)
        rows = _bin_members(corners[:, 1], corners[:, 3], self.bins[0], features.shape[2])
        columns = _bin_members(corners[:, 0], corners[:, 2], self.bins[1], features.shape[3])
        of_regions = features.index_select(0, images)
        # A bin is a range of rows times a range of columns, so the maximum can be taken along one axis after the other.
        pooled = _maxima(_maxima(of_regions, columns).transpose(2, 3), rows).transpose(2, 3)
        filled = rows.any(dim=2)[:, :, None] & columns.any(dim=2)[:, None, :]
        return torch.where(filled[:, None], pooled, 0.0)

    def _require_images(self, images: Tensor, count: int) -> None:
        # On a GPU, the lookup itself fails for a wrong index; a check here would make the host wait for the GPU.
        if images.device.type == "cpu" and bool(((images < 0) | (images >= count)).any()):
            raise ShapeError(f"{self.spec}: expected image indices from 0 to {count - 1}, got {images.tolist()}")


def _rounded(values: Tensor) -> Tensor:
    """Rounds like C's round(): halves away from zero. torch.round would round halves to even."""
    return values.sign() * (values.abs() + 0.5).floor()


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
            values.masked_fill(~members[:, index, None, None, :], LOWEST).max(dim=3).values
            for index in range(members.shape[1])
        ],
        dim=3,
    )
