"""What ROIPooling, PSROIPooling and ROIWarping share: bottom 1 holds regions of the net's input image."""

import math
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from caffe_compat.errors import ShapeError
from caffe_compat.layers.base import Layer, LayerSpec, Shape, exactly, is_eager_on_cpu
from caffe_compat.layers.windows import require_four_axes, require_positive


class RegionLayer(Layer):
    """A layer that reads places of bottom 0 within regions (image index, x1, y1, x2, y2) of bottom 1.

    Regions are in pixels of the net's input; `scale` converts pixels to places of bottom 0.
    """

    scale: float
    bottoms = exactly(2)
    no_gradient_to = frozenset({1})
    leaves_out_gradient_to = no_gradient_to
    allows_in_place = False

    def whole_numbers(self, *bottom_shapes: Shape) -> dict[int, int]:
        return {1: bottom_shapes[0][0]}  # the first number of a region is the index of an image in the batch

    def sample_bottoms(self, random: np.random.Generator, *bottom_shapes: Shape) -> dict[int, NDArray[np.float64]]:
        """Random regions (index, x1, y1, x2, y2) within the image, whose size is that of bottom 0 / `scale`."""
        features, regions = bottom_shapes[:2]
        count = math.prod(regions) // 5
        ends = np.array([features[3], features[2]]) / self.scale
        corners = np.sort(random.uniform(0, 1, (count, 2, 2)), axis=1) * ends
        images = random.integers(0, features[0], (count, 1))
        return {1: np.concatenate([images, corners.reshape(count, 4)], axis=1).reshape(regions)}

    def require_regions(self, features: Shape, regions: Shape) -> None:
        """Raises ShapeError unless bottom 0 has 4 axes and bottom 1 has 5 numbers per region."""
        require_four_axes(self.spec, features)
        if math.prod(regions[1:]) != 5 or not regions:
            raise ShapeError(
                f"{self.spec}: expected 5 numbers a region (index, x1, y1, x2, y2), got {math.prod(regions[1:])}"
            )

    def image_indices(self, regions: Tensor, count: int) -> Tensor:
        """The first numbers of regions (R, 5). Raises ShapeError for an index outside of the batch of `count`."""
        images = regions[:, 0].long()
        # On a GPU, the lookup itself fails for a wrong index; a check here would make the host wait for the GPU.
        if is_eager_on_cpu(images) and bool(((images < 0) | (images >= count)).any()):
            raise ShapeError(f"{self.spec}: expected image indices from 0 to {count - 1}, got {images.tolist()}")
        return images


class GridLayer(RegionLayer):
    """A region layer whose top is a grid of pooled_h x pooled_w bins per region, with all channels in each bin.

    Corners of regions are rounded after `spatial_scale` has converted these to places of bottom 0.
    """

    #: The message of the layer's fields.
    field: ClassVar[str]

    def __init__(self, spec: LayerSpec) -> None:
        super().__init__(spec)
        params = spec.params(self.field)
        self.bins: tuple[int, int] = (params.pooled_h, params.pooled_w)
        self.scale: float = params.spatial_scale
        require_positive(spec, "pooled_h and pooled_w", self.bins)

    def top_shapes(self, *bottom_shapes: Shape) -> list[Shape]:
        features, regions = bottom_shapes
        self.require_regions(features, regions)
        return [(regions[0], features[1], *self.bins)]

    def images_and_corners(self, features: Tensor, regions: Tensor) -> tuple[Tensor, Tensor]:
        """The image (R,) of each region, and its corners (R, 4) as x1, y1, x2, y2 in whole places of bottom 0."""
        self.top_shapes(features.shape, regions.shape)
        regions = regions.detach().reshape(-1, 5)
        return self.image_indices(regions, features.shape[0]), rounded(regions[:, 1:] * self.scale)


def rounded(values: Tensor) -> Tensor:
    """Rounds like C's round(): halves away from zero. torch.round would round halves to even."""
    return values.sign() * (values.abs() + 0.5).floor()
