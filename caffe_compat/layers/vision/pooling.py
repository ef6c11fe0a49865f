"""Caffe's Pooling and its three methods (pooling_layer.cpp)."""

from collections.abc import Callable, Sequence
from functools import lru_cache
from math import inf, prod

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, max_pool2d
from torch.nn.functional import pad as pad_with

from caffe_compat.errors import FieldError, GraphError, ShapeError
from caffe_compat.layers.base import Layer, Reach, Shape, Tops, index_type, is_eager_on_cpu, sums_are_careful
from caffe_compat.layers.caffes import BVLC_AND_SRN, Meaning
from caffe_compat.layers.registry import register_layer
from caffe_compat.layers.spec import LayerSpec, between
from caffe_compat.layers.vision.open_pooling import open_average_pool, open_max_pool
from caffe_compat.layers.windows import PoolingWindow, SpatialField, lowest_of, require_four_axes, require_positive

#: Added by Caffe to a sum of activations, so that a division by the sum is safe (FLT_MIN).
SMALLEST = torch.finfo(torch.float32).tiny


def max_pool(bottom: Tensor, window: PoolingWindow) -> Tensor:
    """The maximum of each window; -FLT_MAX for a window without elements.

    NaN is never the maximum: Caffe starts at -FLT_MAX, and every comparison with NaN is false.
    """
    bottom = _without_strangers_on_a_gpu(bottom)
    top = _max_pool(bottom, window)
    return _max_pool(_comparable(bottom), window) if _holds_strangers(top) else top


def _without_strangers_on_a_gpu(bottom: Tensor) -> Tensor:
    """On a GPU a look at the maxima would make the host wait, so the exact engine replaces NaN and -inf at once."""
    return _comparable(bottom) if bottom.device.type != "cpu" and sums_are_careful() else bottom


def _holds_strangers(top: Tensor) -> bool:
    """Whether maxima come from NaN or -inf, which torch treats differently than Caffe. Not asked on a GPU."""
    return is_eager_on_cpu(top) and not bool((top >= lowest_of(top)).all())


def _comparable(bottom: Tensor) -> Tensor:
    """The bottom with -FLT_MAX in place of NaN and -inf."""
    lowest = lowest_of(bottom)
    return torch.where(bottom >= lowest, bottom, lowest)


def _max_pool(bottom: Tensor, window: PoolingWindow) -> Tensor:
    sizes = bottom.shape[2:]
    if window.suits_torch(sizes):
        return max_pool2d(bottom, window.kernel, window.stride, window.pad, ceil_mode=window.round_up)
    return max_pool2d(pad_with(bottom, window.margins(sizes), value=lowest_of(bottom)), window.kernel, window.stride)


def max_pool_with_mask(bottom: Tensor, window: PoolingWindow) -> tuple[Tensor, Tensor]:
    """The maximum of each window, and its index within the channel (row * width + column).

    The index is -1 for a window without elements above -FLT_MAX, where Caffe's search begins. NaN is never the
    maximum, as in `max_pool`.
    """
    bottom = _without_strangers_on_a_gpu(bottom)
    top, mask = _max_pool_with_mask(bottom, window)
    return _max_pool_with_mask(_comparable(bottom), window) if _holds_strangers(top) else (top, mask)


def _max_pool_with_mask(bottom: Tensor, window: PoolingWindow) -> tuple[Tensor, Tensor]:
    height, width = bottom.shape[2:]
    left, right, above, below = window.margins((height, width))
    padded = pad_with(bottom, (left, right, above, below), value=lowest_of(bottom))
    top, places = max_pool2d(padded, window.kernel, window.stride, return_indices=True)
    # torch's indices count in the padded image; Caffe's count in the bottom.
    rows = places.div(padded.shape[3], rounding_mode="floor") - above
    columns = places.remainder(padded.shape[3]) - left
    inside = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width) & (top > lowest_of(top))
    return top, torch.where(inside, rows * width + columns, -1).to(index_type(bottom))


def average_pool(bottom: Tensor, window: PoolingWindow) -> Tensor:
    """The mean of each window, including zeros of the padding; positions beyond the padding are not counted."""
    sizes = bottom.shape[2:]
    if window.suits_torch(sizes):
        return avg_pool2d(bottom, window.kernel, window.stride, window.pad, ceil_mode=window.round_up)
    padded = pad_with(bottom, window.margins(sizes))
    sums = avg_pool2d(padded, window.kernel, window.stride, divisor_override=1)
    return sums / _divisors(window, sizes, sums.dtype, sums.device)


@lru_cache(maxsize=64)  # computed on the host; without the cache, every forward on a GPU would wait
def _divisors(window: PoolingWindow, sizes: torch.Size, dtype: torch.dtype, device: torch.device) -> Tensor:
    """The number of values in each window, (height, width) of the top."""
    rows, columns = (torch.tensor(extents, dtype=dtype, device=device) for extents in window.divisors(sizes))
    return rows[:, None] * columns


def stochastic_pool(bottom: Tensor, window: PoolingWindow) -> Tensor:
    """One random element of each window, with probability proportional to its (non-negative) value.

    As in pooling_layer.cu, StoPoolForwardTrain: a threshold is drawn between 0 and the window's sum. The result is the
    first element at which the running sum reaches the threshold.
    """
    elements = _window_elements(bottom, window)
    running = elements.cumsum(dim=-1)
    share = torch.rand_like(running[..., :1]) * running[..., -1:]
    drawn = (running < share).sum(dim=-1, keepdim=True)
    # Negative values could make every running sum smaller than the threshold; the last element is taken then.
    return elements.gather(-1, drawn.clamp(max=elements.shape[-1] - 1)).squeeze(-1)


def expected_stochastic_pool(bottom: Tensor, window: PoolingWindow) -> Tensor:
    """The expected result of `stochastic_pool`: sum of squares divided by sum (StoPoolForwardTest)."""
    elements = _window_elements(bottom, window)
    return elements.square().sum(dim=-1) / (elements.sum(dim=-1) + SMALLEST)


def _window_elements(bottom: Tensor, window: PoolingWindow) -> Tensor:
    padded = pad_with(bottom, window.margins(bottom.shape[2:]))
    (rows, columns), (down, across) = window.kernel, window.stride
    return padded.unfold(2, rows, down).unfold(3, columns, across).flatten(4)


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
        Meaning("BVLC", "the size rounds up, round_mode: FLOOR down", "no field of others"),
        Meaning("DeepLab, MXNet's exports and others", "rounds down", "ceil_mode: false", "becomes round_mode: FLOOR"),
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

    @property
    def growth(self) -> float:
        """1 for a maximum; for an average the size of its sum; not known of STOCHASTIC, which divides by a sum."""
        kernel = (inf, inf) if self.is_global else self.kernel
        if any(step > extent for step, extent in zip(self.stride, kernel, strict=True)):
            return inf  # windows without elements: NaN, or -FLT_MAX
        return {"MAX": 1.0, "AVE": prod(kernel)}.get(self.method, inf)

    def window(self, sizes: Shape) -> PoolingWindow:
        """The window for bottoms of this height and width."""
        kernel = (sizes[0], sizes[1]) if self.is_global else self.kernel
        return PoolingWindow(kernel, self.stride, self.pad, self.round_up)

    def _fitting_window(self, shape: Shape) -> PoolingWindow:
        require_four_axes(self.spec, shape)
        sizes = tuple(shape[2:])
        window = self.window(sizes)
        if any(size < 1 for size in window.pooled(sizes)):
            raise ShapeError(f"{self.spec}: expected an input of at least one window {window.kernel}, got {sizes}")
        return window

    def top_shapes(self, *bottom_shapes: Shape) -> list[Shape]:
        shape = bottom_shapes[0]
        window = self._fitting_window(shape)
        self._require_room_for_margins(window, shape)
        return [(*shape[:2], *window.pooled(shape[2:]))] * self.spec.top_count

    def _require_room_for_margins(self, window: PoolingWindow, shape: Shape) -> None:
        """A stride far beyond the bottom makes a last window there, for which the bottom is padded."""
        left, right, above, below = window.margins(shape[2:])
        padded = (*shape[:2], shape[2] + above + below, shape[3] + left + right)
        self.spec.budget.check(self.spec.parameter, "the padded bottom", padded)

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
