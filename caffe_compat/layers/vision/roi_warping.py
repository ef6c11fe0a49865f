"""ROIWarping of MNC."""

from typing import Any

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
        warp = warped_regions if torch.compiler.is_compiling() else warped
        top: Tensor = warp(features, images, corners, *self.bins)
        return top


def warped(features: Tensor, images: Tensor, corners: Tensor, height: int, width: int) -> Tensor:
    """The top (regions, C, height, width) for images (regions,) and corners (regions, 4) in places of the features."""
    # Region by region: the samples of all regions at once would need many times the memory of the tops.
    tops = [features.new_zeros(0, features.shape[1], height, width)]
    for image, corner in zip(images, corners, strict=True):
        samples = _Samples(features[image], corner, (height, width))
        tops.append(torch.where(samples.any_counts, samples.values.max(dim=3).values, 0.0)[None])
    return torch.cat(tops)


# An operator of torch, because no compiler can follow a number of samples that depends on values.
@torch.library.custom_op("caffe_compat::warped_regions", mutates_args=())
def warped_regions(features: Tensor, images: Tensor, corners: Tensor, height: int, width: int) -> Tensor:
    """The same as `warped`; the gradient of the features cannot be differentiated again."""
    return warped(features, images, corners, height, width)


@torch.library.custom_op("caffe_compat::gradient_of_warped_regions", mutates_args=())
def gradient_of_warped_regions(gradient: Tensor, features: Tensor, images: Tensor, corners: Tensor) -> Tensor:
    """The gradient of the features, for the gradient (regions, C, height, width) of the top."""
    found = torch.zeros_like(features)
    for image, corner, own in zip(images, corners, gradient, strict=True):
        samples = _Samples(features[image], corner, (gradient.shape[2], gradient.shape[3]))
        own = torch.where(samples.any_counts, own, 0.0)[..., None]
        largest = samples.values.max(dim=3, keepdim=True).indices
        spread = torch.zeros_like(samples.values).scatter(3, largest, own)
        found[image] += torch.einsum("cijab,iah,jbw->chw", spread.unflatten(3, samples.steps), *samples.weights)
    return found


@warped_regions.register_fake
def _(features: Tensor, images: Tensor, _corners: Tensor, height: int, width: int) -> Tensor:
    return features.new_empty(images.shape[0], features.shape[1], height, width)


@gradient_of_warped_regions.register_fake
def _(_gradient: Tensor, features: Tensor, *_regions: Tensor) -> Tensor:
    return torch.empty_like(features)


def _keep(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    ctx.save_for_backward(*inputs[:3])


def _backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
    return gradient_of_warped_regions(gradient, *ctx.saved_tensors), None, None, None, None


warped_regions.register_autograd(_backward, setup_context=_keep)


class _Samples:
    """The samples of a region with corners (x1, y1, x2, y2) in places of a feature (C, height, width).

    `values` (C, rows, columns, samples) holds them for each bin, and a very small number for those that do not count.
    """

    def __init__(self, feature: Tensor, corner: Tensor, bins: tuple[int, int]) -> None:
        x1, y1, x2, y2 = corner
        rows, has_row = _samples(y1, y2, bins[0], feature.shape[1])
        columns, has_column = _samples(x1, x2, bins[1], feature.shape[2])
        counts = has_row[:, None, :, None] & has_column[None, :, None, :]
        values = torch.einsum("chw,iah,jbw->cijab", feature, rows, columns)
        #: Interpolation weights (bins, steps, places) along height and width, and the steps of a bin along each.
        self.weights = rows, columns
        self.steps = rows.shape[1], columns.shape[1]
        self.values = values.masked_fill(~counts, lowest_of(values)).flatten(3)
        self.any_counts = counts.flatten(2).any(dim=2)


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
