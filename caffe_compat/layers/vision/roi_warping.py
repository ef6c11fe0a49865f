"""ROIWarping of MNC."""

import torch
from torch import Tensor

from caffe_compat.layers.caffes import Meaning
from caffe_compat.layers.registry import register_layer
from caffe_compat.layers.vision.interpolation import linear_weights
from caffe_compat.layers.vision.regions import GridLayer
from caffe_compat.layers.windows import lowest_of


@register_layer("ROIWarping")
class ROIWarping(GridLayer):
    """Maximum over values between places in each bin of each region: (regions, C, pooled_h, pooled_w).

    A bin is sampled, bilinearly, from its first to its last line in steps of its height / ceil(its height), and so
    along its width, where sizes are those of the region / bins. Samples more than half outside of bottom 0 do not
    count; a bin without others gives 0. From daijifeng001/caffe-mnc (roi_warping_layer.cu), whose backward also gives
    regions a gradient; here they get none.
    """

    known_to = ("MNC",)
    meanings = (Meaning("MNC", "the maximum of samples between places, for each bin of a region", "roi_warping_param"),)
    example = "roi_warping_param { pooled_h: 1 pooled_w: 1 }"
    is_in_onnx = False
    field = "roi_warping_param"

    def forward(self, features: Tensor, regions: Tensor) -> Tensor:
        images, corners = self.images_and_corners(features, regions)
        # Region by region: the samples of all regions at once would need many times the memory of the tops.
        warped = [self._warp(features[image], corner) for image, corner in zip(images, corners, strict=True)]
        return torch.stack(warped) if warped else features.new_zeros(0, features.shape[1], *self.bins)

    def _warp(self, feature: Tensor, corner: Tensor) -> Tensor:
        """The top (C, pooled_h, pooled_w) of a region with corners (x1, y1, x2, y2) in places of the feature."""
        x1, y1, x2, y2 = corner
        rows, has_row = _samples(y1, y2, self.bins[0], feature.shape[1])
        columns, has_column = _samples(x1, x2, self.bins[1], feature.shape[2])
        values = torch.einsum("chw,iah,jbw->cijab", feature, rows, columns)
        counts = has_row[:, None, :, None] & has_column[None, :, None, :]
        largest = values.masked_fill(~counts, lowest_of(values)).flatten(3).max(dim=3).values
        return torch.where(counts.flatten(2).any(dim=2), largest, 0.0)


def _samples(start: Tensor, end: Tensor, bins: int, size: int) -> tuple[Tensor, Tensor]:
    """Interpolation weights (bins, samples, size) along an axis, and (bins, samples): whether a sample counts."""
    extent = (end - start).nan_to_num(0).clamp(min=0)
    steps = int((extent / bins).ceil())
    index = torch.arange(bins, device=start.device, dtype=start.dtype)
    # Steps are added up as in the original, so that rounding leaves out the same last samples.
    fractions = [index]
    for _ in range(steps):
        fractions.append(fractions[-1] + 1.0 / torch.tensor(float(steps), device=start.device, dtype=start.dtype))
    sampled = torch.stack(fractions, dim=1)
    places = start + sampled * (extent / bins)
    counts = (sampled <= index[:, None] + 1) & (places >= -0.5) & (places <= size - 0.5)
    return linear_weights(places, size), counts
