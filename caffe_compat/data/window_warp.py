"""Cuts a window out of an image and warps it to the net's size (window_data_layer.cpp, load_batch).

Computed in float32, with halves rounded away from zero, as in Caffe.
"""

from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from caffe_compat.data.sources.window_file import Window
from caffe_compat.errors import DataError

Pixels = NDArray[Any]


class Warp(NamedTuple):
    """The size of items: crop_size pixels per side, including `context_pad` pixels on each side of the window."""

    crop_size: int
    context_pad: int = 0
    square: bool = False


class Placed(NamedTuple):
    """A warped window and the position of its upper left corner in the item; the rest of the item is padding."""

    pixels: Pixels
    top: int
    left: int


class _Span(NamedTuple):
    """An axis of a window: the part inside the image [start, stop), its warped size, and padding before and after."""

    start: int
    stop: int
    size: int
    before: int
    after: int


def warp_window(image: Pixels, window: Window, warp: Warp, mirrored: bool, owner: str) -> Placed:
    """The window of an image, uint8 (height, width, channels), warped (linear) and mirrored if `mirrored`."""
    if window.right < window.left or window.bottom < window.top:
        raise DataError(f"{owner}: window {tuple(window[3:])} ends before it begins; expected x1 y1 x2 y2")
    rows, columns = _spans(image, window, warp)
    if rows.start < 0 or columns.start < 0 or rows.stop > image.shape[0] or columns.stop > image.shape[1]:
        raise DataError(
            f"{owner}: window {tuple(window[3:])} lies outside the image ({image.shape[1]} x {image.shape[0]})"
        )
    left = columns.after if mirrored else columns.before
    # Because of rounding, the warped window may extend beyond the item.
    height = min(rows.size, warp.crop_size - rows.before)
    width = min(columns.size, warp.crop_size - left)
    if min(height, width) < 1 or rows.stop <= rows.start or columns.stop <= columns.start:
        raise DataError(f"{owner}: window {tuple(window[3:])} has no pixels in an item of {warp.crop_size} pixels")
    part = image[rows.start : rows.stop, columns.start : columns.stop]
    pixels = cv2.resize(part, (width, height), interpolation=cv2.INTER_LINEAR).reshape(height, width, -1)
    return Placed(pixels[:, ::-1] if mirrored else pixels, rows.before, left)


def _spans(image: Pixels, window: Window, warp: Warp) -> tuple[_Span, _Span]:
    if not (warp.context_pad or warp.square):
        size = warp.crop_size
        return (
            _Span(window.top, window.bottom + 1, size, 0, 0),
            _Span(window.left, window.right + 1, size, 0, 0),
        )
    half_height, half_width = _half(window.top, window.bottom), _half(window.left, window.right)
    centre_y, centre_x = np.float32(window.top) + half_height, np.float32(window.left) + half_width
    if warp.square:
        half_height = half_width = max(half_height, half_width)
    return (
        _span(centre_y, half_height, image.shape[0], warp),
        _span(centre_x, half_width, image.shape[1], warp),
    )


def _half(first: int, last: int) -> np.float32:
    return np.float32(last - first + 1) / np.float32(2)


def _span(centre: np.float32, half: np.float32, limit: int, warp: Warp) -> _Span:
    """Extends an axis by its context, clips it to the image, and counts the clipped part as padding."""
    size = np.float32(warp.crop_size)
    context = size / np.float32(warp.crop_size - 2 * warp.context_pad)
    first, last = _round(centre - half * context), _round(centre + half * context)
    before, after = max(0, -first), max(0, last - limit + 1)
    scale = size / np.float32(last - first + 1)
    start, stop = first + before, last - after + 1
    return _Span(
        start,
        stop,
        _round(np.float32(stop - start) * scale),
        _round(np.float32(before) * scale),
        _round(np.float32(after) * scale),
    )


def _round(value: np.float32) -> int:
    return int(np.copysign(np.floor(abs(float(value)) + 0.5), value))
