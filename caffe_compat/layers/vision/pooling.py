"""Caffe's Pooling."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from caffe_compat.errors import FieldError, GraphError, ShapeError
from caffe_compat.layers.base import Layer, LayerSpec, Reach, Shape, Tops, between
from caffe_compat.layers.caffes import BVLC_AND_SRN, Meaning
from caffe_compat.layers.registry import register_layer
from caffe_compat.layers.vision.open_pooling import open_average_pool, open_max_pool
from caffe_compat.layers.vision.pool_methods import (
    average_pool,
    expected_stochastic_pool,
    max_pool,
    max_pool_with_mask,
    stochastic_pool,
)
from caffe_compat.layers.vision.pooling_window import PoolingWindow
from caffe_compat.layers.windows import SpatialField, require_positive

POOL_METHODS: dict[tuple[str, str], Callable[[Tensor, PoolingWindow], Tensor]] = {
    ("MAX", "TRAIN"): max_pool,
    ("MAX", "TEST"): max_pool,
    ("AVE", "TRAIN"): average_pool,
    ("AVE", "TEST"): average_pool,
    ("STOCHASTIC", "TRAIN"): stochastic_pool,
    ("STOCHASTIC", "TEST"): expected_stochastic_pool,
}
OPEN_METHODS = {"MAX": open_max_pool, "AVE": open_average_pool}


@register_layer("Pooling")
class Pooling(Layer):
    """Pools windows of (N, C, height, width); output sizes round up, or down with round_mode FLOOR.

    With MAX, top 1 holds the index of each maximum within its channel.
    """

    known_to = BVLC_AND_SRN
    meanings = (
        Meaning(
            "BVLC",
            "the size rounds up, round_mode: FLOOR down",
            "no field of others",
        ),
        Meaning(
            "DeepLab, MXNet's exports and others",
            "rounds down",
            "ceil_mode: false",
            "becomes round_mode: FLOOR",
        ),
        Meaning(
            "NVIDIA",
            "PyTorch's sizes by torch_pooling",
            "torch_pooling",
            "refused",
        ),
        Meaning(
            "Intel",
            "an average without padding by avg_include_pad",
            "avg_include_pad",
            "refused",
        ),
    )
    example = "pooling_param { kernel_size: 1 }"
    tops = between(1, 2)
    allows_in_place = False

    def __init__(self, spec: LayerSpec) -> None:
        super().__init__(spec)
        params = spec.params("pooling_param")
        params.ignore("engine")  # selects a kernel; results are the same
        self.method: str = params.pool
        self.round_up: bool = params.round_mode == "CEIL"
        self.is_global: bool = params.global_pooling
        kernel = SpatialField(spec, params, "kernel_size")
        self.stride = _pair(SpatialField(spec, params, "stride", default=1))
        self.pad = _pair(SpatialField(spec, params, "pad", default=0))
        if self.is_global:
            self._require_no_window(kernel)
        else:
            self.kernel = _pair(kernel)
            self._require_window()
        if spec.top_count == 2 and self.method != "MAX":
            raise GraphError(f"{spec}: expected 1 top (only MAX gives a mask), got 2 with {self.method}")

    def window(self, sizes: Shape) -> PoolingWindow:
        """The window for bottoms of this height and width."""
        kernel = (sizes[0], sizes[1]) if self.is_global else self.kernel
        return PoolingWindow(kernel, self.stride, self.pad, self.round_up)

    def _fitting_window(self, shape: Shape) -> PoolingWindow:
        if len(shape) != 4:
            raise ShapeError(f"{self.spec}: expected 4 axes (num, channels, height, width), got {list(shape)}")
        sizes = tuple(shape[2:])
        window = self.window(sizes)
        if any(size < 1 for size in window.pooled(sizes)):
            raise ShapeError(f"{self.spec}: expected an input of at least one window {window.kernel}, got {sizes}")
        return window

    def top_shapes(self, *bottom_shapes: Shape) -> list[Shape]:
        shape = bottom_shapes[0]
        return [(*shape[:2], *self._fitting_window(shape).pooled(shape[2:]))] * self.spec.top_count

    def reach(self, bottom_sizes: Sequence[int]) -> Reach | None:
        return None if self.is_global else Reach(self.kernel[1], self.stride[1])

    def forward(self, bottom: Tensor) -> Tops:
        if torch.compiler.is_compiling() and self.method in OPEN_METHODS and self.spec.top_count == 1:
            return self._open(bottom)
        window, sizes = self._fitting_window(bottom.shape), tuple(bottom.shape[2:])
        if self.spec.top_count == 2:
            top, mask = max_pool_with_mask(bottom, window)
            return self._guarded(top, window.has_empty(sizes)), mask
        return self._guarded(POOL_METHODS[self.method, self.phase](bottom, window), window.has_empty(sizes))

    def _open(self, bottom: Tensor) -> Tensor:
        if self.is_global:
            return bottom.amax((2, 3), keepdim=True) if self.method == "MAX" else bottom.mean((2, 3), keepdim=True)
        window = PoolingWindow(self.kernel, self.stride, self.pad, self.round_up)
        return OPEN_METHODS[self.method](bottom, window)

    def _guarded(self, top: Tensor, has_empty: bool) -> Tensor:
        # Caffe's backward of an empty window writes outside of its blob, so there is no result to reproduce.
        if has_empty and top.requires_grad:
            top.register_hook(self._refuse_backward)
        return top

    def _refuse_backward(self, _gradient: Tensor) -> None:
        raise ShapeError(
            f"{self.spec}: expected windows that start within the image, got a last one that starts behind it; "
            "this can be run but not trained through: choose a stride that fits, or a pad"
        )

    def _require_no_window(self, kernel: SpatialField) -> None:
        if kernel.is_set or any(self.pad) or self.stride != (1, 1):
            raise FieldError(f"{self.spec}: expected no kernel, pad or stride with global_pooling, got one of them")

    def _require_window(self) -> None:
        require_positive(self.spec, "kernel_size", self.kernel)
        require_positive(self.spec, "stride", self.stride)
        if any(self.pad) and self.method == "STOCHASTIC":
            raise FieldError(f"{self.spec}: expected no pad with STOCHASTIC pooling, got {self.pad}")
        if any(margin >= extent for margin, extent in zip(self.pad, self.kernel, strict=True)):
            raise FieldError(f"{self.spec}: expected pad below kernel_size {self.kernel}, got {self.pad}")


def _pair(field: SpatialField) -> tuple[int, int]:
    height, width = field.along(2)
    return height, width
