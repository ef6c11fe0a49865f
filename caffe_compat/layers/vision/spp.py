"""Caffe's SPP (spatial pyramid pooling)."""

import math

import torch
from torch import Tensor

from caffe_compat.errors import ShapeError
from caffe_compat.layers.base import Layer, LayerSpec, Shape
from caffe_compat.layers.caffes import BVLC_AND_SRN
from caffe_compat.layers.registry import register_layer
from caffe_compat.layers.vision.open_pooling import open_tiles
from caffe_compat.layers.vision.pooling import OPEN_METHODS, POOL_METHODS
from caffe_compat.layers.windows import PoolingWindow, require_four_axes, require_positive


@register_layer("SPP")
class SPP(Layer):
    """Pools into 1, 2x2, 4x4 ... bins on `pyramid_height` levels; the top joins all levels as (N, values).

    With a single level the top is (N, C, 1, 1).
    """

    known_to = BVLC_AND_SRN
    example = "spp_param { pyramid_height: 1 }"
    allows_in_place = False

    def __init__(self, spec: LayerSpec) -> None:
        super().__init__(spec)
        params = spec.params("spp_param")
        params.ignore("engine")  # selects a kernel; results are the same
        self.levels: int = params.pyramid_height
        self.method: str = params.pool
        require_positive(spec, "pyramid_height", [self.levels])

    def top_shapes(self, *bottom_shapes: Shape) -> list[Shape]:
        shape = bottom_shapes[0]
        require_four_axes(self.spec, shape)
        # Caffe refuses levels with more bins than pixels, which also keeps this list short.
        windows = [self._window(2**level, *shape[2:]) for level in range(self.levels)]
        if self.levels == 1:
            return [(*shape[:2], 1, 1)]
        return [(shape[0], shape[1] * sum(math.prod(window.pooled(shape[2:])) for window in windows))]

    def forward(self, bottom: Tensor) -> Tensor:
        pooled = [self._pooled(bottom, 2**level) for level in range(self.levels)]
        return pooled[0] if self.levels == 1 else torch.cat([bins.flatten(1) for bins in pooled], dim=1)

    def _pooled(self, bottom: Tensor, bins: int) -> Tensor:
        """The top (N, C, bins, bins) of a level."""
        require_four_axes(self.spec, bottom.shape)
        window = self._window(bins, *bottom.shape[2:])
        if torch.compiler.is_compiling() and self.method in OPEN_METHODS:
            return open_tiles(bottom, window, bins, self.method)
        return POOL_METHODS[self.method, self.phase](bottom, window)

    def _window(self, bins: int, height: int, width: int) -> PoolingWindow:
        """The window whose `bins` x `bins` placements cover the image; half of the surplus is padding at each side."""
        kernel = ((height + bins - 1) // bins, (width + bins - 1) // bins)
        pad = ((kernel[0] * bins - height + 1) // 2, (kernel[1] * bins - width + 1) // 2)
        if pad[0] >= kernel[0] or pad[1] >= kernel[1] or (self.method == "STOCHASTIC" and any(pad)):
            raise ShapeError(f"{self.spec}: expected an image that {bins}x{bins} bins cover, got {height}x{width}")
        return PoolingWindow(kernel, kernel, pad)
