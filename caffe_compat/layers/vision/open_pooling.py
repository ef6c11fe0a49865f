"""Pooling of images with symbolic height and width: no step depends on the value of a size.

Apart from pooling.py, which uses torch's own pooling where that fits: only `torch.export` and `torch.compile` trace
these functions.
"""

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, max_pool2d, pad

from caffe_compat.layers.windows import PoolingWindow, lowest_of


def open_max_pool(bottom: Tensor, window: PoolingWindow) -> Tensor:
    """The maximum of each window."""
    return max_pool2d(pad(bottom, _margins(bottom, window), value=lowest_of(bottom)), window.kernel, window.stride)


def open_average_pool(bottom: Tensor, window: PoolingWindow) -> Tensor:
    """The mean of each window, over the padded image."""
    sums = avg_pool2d(pad(bottom, _margins(bottom, window)), window.kernel, window.stride, divisor_override=1)
    rows, columns = (_extents(bottom, window, axis) for axis in (0, 1))
    return sums / (rows[:, None] * columns)


def open_tiles(bottom: Tensor, window: PoolingWindow, bins: int, method: str) -> Tensor:
    """The maximum or, for AVE, the mean of each of `bins` x `bins` windows (N, C, bins, bins) that lie side by side.

    The window may have a symbolic size, which torch's own pooling does not take.
    """
    sides = [(extent, extent * bins - size) for extent, size in zip(window.kernel, bottom.shape[2:], strict=True)]
    (height, below), (width, right) = sides
    margins = [window.pad[1], right - window.pad[1], window.pad[0], below - window.pad[0]]
    padded = pad(bottom, margins, value=lowest_of(bottom) if method == "MAX" else 0.0)
    tiles: Tensor = padded.unflatten(3, (bins, width)).unflatten(2, (bins, height)).transpose(3, 4).flatten(4)
    if method == "MAX":
        return tiles.max(dim=4).values
    rows, columns = (_tile_extents(bottom, window, bins, axis) for axis in (0, 1))
    return tiles.sum(dim=4) / (rows[:, None] * columns)


def _tile_extents(bottom: Tensor, window: PoolingWindow, bins: int, axis: int) -> Tensor:
    size, margin, extent = bottom.shape[2 + axis], window.pad[axis], window.kernel[axis]
    starts = torch.arange(bins, device=bottom.device) * extent - margin
    return (starts + extent).clamp(max=size + margin).sub(starts).to(bottom.dtype)


def _count(size: int, window: PoolingWindow, axis: int) -> int:
    """The number of windows along an axis, as counted by `PoolingWindow.pooled`."""
    extent, step, margin = window.kernel[axis], window.stride[axis], window.pad[axis]
    count = (size + 2 * margin - extent + (step - 1 if window.round_up else 0)) // step + 1
    if any(window.pad):
        count = torch.sym_min(count, (size + margin - 1) // step + 1)
    return count


def _margins(bottom: Tensor, window: PoolingWindow) -> list[int]:
    margins = []
    for axis in (1, 0):
        size = bottom.shape[2 + axis]
        span = (_count(size, window, axis) - 1) * window.stride[axis] + window.kernel[axis]
        margins += [window.pad[axis], span - size - window.pad[axis]]
    return margins


def _extents(bottom: Tensor, window: PoolingWindow, axis: int) -> Tensor:
    """The extent of each window along an axis, clipped to the padded image."""
    size, margin = bottom.shape[2 + axis], window.pad[axis]
    starts = torch.arange(_count(size, window, axis), device=bottom.device) * window.stride[axis] - margin
    return (starts + window.kernel[axis]).clamp(max=size + margin).sub(starts).to(bottom.dtype)
