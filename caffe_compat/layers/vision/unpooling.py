"""Unpooling of DeconvNet, the inverse of a Pooling."""

import torch
from torch import Tensor

from caffe_compat.errors import FieldError, ShapeError
from caffe_compat.layers.base import Layer, LayerSpec, Shape, between
from caffe_compat.layers.caffes import Meaning
from caffe_compat.layers.registry import register_layer
from caffe_compat.layers.spec import Params
from caffe_compat.layers.vision.interpolation import resampled
from caffe_compat.layers.vision.unpool import places_of, unpool
from caffe_compat.layers.windows import SpatialField, require_positive


@register_layer("Unpooling")
class Unpooling(Layer):
    """Spreads each element over the window that a Pooling with these fields would take; other places are 0.

    MAX puts it at the index in the mask (bottom 1, top 1 of that Pooling), or, without a mask, at the window's first
    place. AVE spreads it evenly, TILE repeats it; windows that overlap add up. The size is unpool_size (or unpool_h x
    unpool_w), else what the windows reach, at least one place more than they begin at. From HyeonwooNoh/caffe
    (unpooling_layer.cpp).
    """

    known_to = ("DeconvNet",)
    meanings = (Meaning("DeconvNet", "the inverse of a Pooling with these fields", "unpooling_param"),)
    example = "unpooling_param { kernel_size: 2 stride: 2 }"
    bottoms = between(1, 2)
    no_gradient_to = frozenset({1})
    leaves_out_gradient_to = no_gradient_to
    allows_in_place = False

    def __init__(self, spec: LayerSpec) -> None:
        super().__init__(spec)
        params = spec.params("unpooling_param")
        params.ignore("engine")
        self.method: str = params.unpool
        self.kernel: list[int] = SpatialField(spec, params, "kernel_size").along(2)
        self.stride: list[int] = SpatialField(spec, params, "stride", default=1).along(2)
        self.size: tuple[int, int] | None = self._size(params)
        require_positive(spec, "kernel_size and stride", (*self.kernel, *self.stride))
        if any(SpatialField(spec, params, "pad", default=0).along(2)):
            raise FieldError(f"{spec}: expected a pad of 0, as DeconvNet's Caffe takes no other")

    def top_shapes(self, *bottom_shapes: Shape) -> list[Shape]:
        bottom, *mask = bottom_shapes
        if len(bottom) != 4 or any(tuple(other) != tuple(bottom) for other in mask):
            raise ShapeError(
                f"{self.spec}: expected 4 axes (num, channels, height, width) and a mask of the same shape, got "
                f"{', '.join(str(list(shape)) for shape in bottom_shapes)}"
            )
        return [(*bottom[:2], *(self.size or self._reached(bottom)))]

    def forward(self, bottom: Tensor, *mask: Tensor) -> Tensor:
        (shape,) = self.top_shapes(bottom.shape, *(other.shape for other in mask))
        if mask:
            return unpool(bottom, places_of(self.spec, mask[0], *shape[2:]), *shape[2:])
        rows, columns = self.weights(bottom, shape[2:])
        return resampled(bottom, rows, columns)

    def weights(self, bottom: Tensor, sizes: Shape) -> list[Tensor]:
        """What each place of the top takes of each window, (top size, bottom size), along height and width."""
        windows = zip(bottom.shape[2:], sizes, self.kernel, self.stride, strict=True)
        return [self._shares(bottom, *window) for window in windows]

    def _shares(self, like: Tensor, windows: int, size: int, kernel: int, stride: int) -> Tensor:
        place = torch.arange(size, device=like.device)[:, None]
        start = torch.arange(windows, device=like.device) * stride
        if self.method == "MAX":
            return _last_of_each_row(place == start.clamp(max=size - 1)).to(like.dtype)
        covered = ((place >= start) & (place < start + kernel)).to(like.dtype)
        return covered / covered.sum(dim=0).clamp(min=1) if self.method == "AVE" else covered

    def _size(self, params: Params) -> tuple[int, int] | None:
        if params.has("unpool_h") != params.has("unpool_w") or (params.has("unpool_size") and params.has("unpool_h")):
            raise FieldError(f"{self.spec}: expected unpool_size, or both of unpool_h and unpool_w")
        size = (params.unpool_size,) * 2 if params.has("unpool_size") else (params.unpool_h, params.unpool_w)
        if not (params.has("unpool_size") or params.has("unpool_h")):
            return None
        require_positive(self.spec, "unpool_size", size)
        return size

    def _reached(self, bottom: Shape) -> tuple[int, int]:
        height, width = (
            max((count - 1) * stride + kernel, count * stride + 1)
            for count, stride, kernel in zip(bottom[2:], self.stride, self.kernel, strict=True)
        )
        return height, width


def _last_of_each_row(chosen: Tensor) -> Tensor:
    """Leaves True only in the last column where a row has one: of windows that begin at one place, the last counts."""
    after = chosen.flip(1).cumsum(dim=1).flip(1)
    return chosen & (after == 1)
