"""PSROIPooling of R-FCN."""

import torch
from torch import Tensor

from caffe_compat.errors import ShapeError
from caffe_compat.layers.base import LayerSpec, Shape, is_transformed
from caffe_compat.layers.caffes import Meaning
from caffe_compat.layers.registry import register_layer
from caffe_compat.layers.vision.regions import RegionLayer, rounded
from caffe_compat.layers.windows import require_positive

#: Least height and width of a region, in places of bottom 0.
LEAST_EXTENT = 0.1


@register_layer("PSROIPooling")
class PSROIPooling(RegionLayer):
    """Mean of each bin of each region, where every bin has channels of its own: (regions, output_dim, bins, bins).

    There are group_size x group_size bins. Bin (i, j) of output channel c averages channel
    (c * group_size + i) * group_size + j of bottom 0. Corners are rounded to pixels before `spatial_scale` converts
    these, and both corners are included. An empty bin gives 0. From daijifeng001/caffe-rfcn (psroi_pooling_layer.cpp
    and .cu).
    """

    known_to = ("R-FCN",)
    meanings = (
        Meaning(
            "R-FCN and all forks that took it",
            "the mean of each bin of a region, over channels of its own",
            "psroi_pooling_param",
        ),
    )
    example = "psroi_pooling_param { spatial_scale: 1 output_dim: 1 group_size: 1 }"

    def __init__(self, spec: LayerSpec) -> None:
        super().__init__(spec)
        params = spec.params("psroi_pooling_param")
        self.scale: float = params.spatial_scale
        self.outputs: int = params.output_dim
        self.bins: int = params.group_size
        require_positive(spec, "output_dim and group_size", (self.outputs, self.bins))

    def top_shapes(self, *bottom_shapes: Shape) -> list[Shape]:
        features, regions = bottom_shapes
        self.require_regions(features, regions)
        channels = self.outputs * self.bins**2
        if features[1] != channels:
            raise ShapeError(
                f"{self.spec}: expected {channels} channels (output_dim x group_size x group_size), got {features[1]}"
            )
        return [(regions[0], self.outputs, self.bins, self.bins)]

    def forward(self, features: Tensor, regions: Tensor) -> Tensor:
        self.top_shapes(features.shape, regions.shape)
        regions = regions.detach().reshape(-1, 5)
        images = self.image_indices(regions, features.shape[0])
        starts = rounded(regions[:, 1:3]) * self.scale
        ends = (rounded(regions[:, 3:5]) + 1) * self.scale
        rows = _bin_shares(starts[:, 1], ends[:, 1], self.bins, features.shape[2])
        columns = _bin_shares(starts[:, 0], ends[:, 0], self.bins, features.shape[3])
        of_bins = features.unflatten(1, (self.outputs, self.bins, self.bins))
        # Means along one axis after the other, image by image: a copy of the features per region would be too large.
        means = features.new_zeros(regions.shape[0], self.outputs, self.bins, self.bins)
        for image in range(features.shape[0]):
            own = images == image
            if is_transformed():  # compilers and vmap cannot choose regions by their values
                found = _means(of_bins[image], rows, columns)
                means = torch.where(own[:, None, None, None], found, means)
            else:
                chosen = own.nonzero().flatten()
                means = means.index_copy(0, chosen, _means(of_bins[image], rows[chosen], columns[chosen]))
        return means


def _means(of_bins: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Means (regions, outputs, bins, bins) of an image's channels (outputs, bins, bins, height, width)."""
    narrow = torch.einsum("cijhw,rjw->rcijh", of_bins, columns)
    return torch.einsum("rcijh,rih->rcij", narrow, rows)


def _bin_shares(start: Tensor, end: Tensor, bins: int, size: int) -> Tensor:
    """Shares (regions, bins, size) of `size` places in the mean over each bin of each region along an axis."""
    step = (end - start).clamp(min=LEAST_EXTENT) / bins
    index = torch.arange(bins, device=start.device, dtype=start.dtype)
    first = (index * step[:, None] + start[:, None]).floor()
    last = ((index + 1) * step[:, None] + start[:, None]).ceil()
    place = torch.arange(size, device=start.device, dtype=start.dtype)
    members = ((place >= first[..., None]) & (place < last[..., None])).to(start.dtype)
    return members / members.sum(dim=2, keepdim=True).clamp(min=1)
