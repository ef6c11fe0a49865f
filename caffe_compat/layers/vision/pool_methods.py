"""The three pooling methods (pooling_layer.cpp), for blobs (N, C, height, width)."""

from functools import lru_cache

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, max_pool2d
from torch.nn.functional import pad as pad_with

from caffe_compat.layers.vision.pooling_window import PoolingWindow
from caffe_compat.layers.zero_sums import sums_are_careful

#: Caffe's initial value of a maximum (-FLT_MAX).
LOWEST = torch.finfo(torch.float32).min
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
    if top.is_meta or torch.compiler.is_compiling() or top.device.type != "cpu":
        return False
    return not bool((top >= LOWEST).all())


def _comparable(bottom: Tensor) -> Tensor:
    """The bottom with -FLT_MAX in place of NaN and -inf."""
    return torch.where(bottom >= LOWEST, bottom, LOWEST)


def _max_pool(bottom: Tensor, window: PoolingWindow) -> Tensor:
    sizes = bottom.shape[2:]
    if window.suits_torch(sizes):
        return max_pool2d(bottom, window.kernel, window.stride, window.pad, ceil_mode=window.round_up)
    return max_pool2d(pad_with(bottom, window.margins(sizes), value=LOWEST), window.kernel, window.stride)


def max_pool_with_mask(bottom: Tensor, window: PoolingWindow) -> tuple[Tensor, Tensor]:
    """The maximum of each window, and its index within the channel (row * width + column).

    The index is -1 for a window without elements. NaN is never the maximum, as in `max_pool`.
    """
    bottom = _without_strangers_on_a_gpu(bottom)
    top, mask = _max_pool_with_mask(bottom, window)
    return _max_pool_with_mask(_comparable(bottom), window) if _holds_strangers(top) else (top, mask)


def _max_pool_with_mask(bottom: Tensor, window: PoolingWindow) -> tuple[Tensor, Tensor]:
    height, width = bottom.shape[2:]
    left, right, above, below = window.margins((height, width))
    padded = pad_with(bottom, (left, right, above, below), value=LOWEST)
    top, places = max_pool2d(padded, window.kernel, window.stride, return_indices=True)
    # torch's indices count in the padded image; Caffe's count in the bottom.
    rows = places.div(padded.shape[3], rounding_mode="floor") - above
    columns = places.remainder(padded.shape[3]) - left
    inside = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
    return top, torch.where(inside, rows * width + columns, -1).to(bottom.dtype)


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
