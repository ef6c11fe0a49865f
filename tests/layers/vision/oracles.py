"""Plain loops for what slides a window."""

from collections.abc import Iterator

import numpy as np

from tests.layers.harness import Array

Places = Iterator[tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]]


def window_places(
    sizes: tuple[int, ...],
    top_sizes: tuple[int, ...],
    kernel: tuple[int, ...],
    stride: tuple[int, ...],
    pad: tuple[int, ...],
    dilation: tuple[int, ...],
) -> Places:
    """Every (place of the top, element of the kernel, place of the bottom) that meet inside the bottom."""
    for place in np.ndindex(*top_sizes):
        for element in np.ndindex(*kernel):
            at = tuple(p * s - m + e * d for p, s, m, e, d in zip(place, stride, pad, element, dilation, strict=True))
            if all(0 <= a < size for a, size in zip(at, sizes, strict=True)):
                yield place, element, at


def convolve(
    bottom: Array, weight: Array, bias: Array | None, top_sizes: tuple[int, ...], groups: int, **window: tuple[int, ...]
) -> Array:
    """(N, C, *spatial) with weight (out, C / groups, *kernel)."""
    outputs, depth = weight.shape[:2]
    top = np.zeros((bottom.shape[0], outputs, *top_sizes))
    for place, element, at in window_places(bottom.shape[2:], top_sizes, weight.shape[2:], **window):
        for n, o, c in np.ndindex(bottom.shape[0], outputs, depth):
            channel = o // (outputs // groups) * depth + c
            top[(n, o, *place)] += weight[(o, c, *element)] * bottom[(n, channel, *at)]
    return top if bias is None else top + bias.reshape(-1, *[1] * len(top_sizes))


def deconvolve(
    bottom: Array, weight: Array, bias: Array, top_sizes: tuple[int, ...], groups: int, **window: tuple[int, ...]
) -> Array:
    """(N, C, *spatial) with weight (C, out / groups, *kernel)."""
    channels, depth = weight.shape[:2]
    top = np.zeros((bottom.shape[0], depth * groups, *top_sizes))
    for place, element, at in window_places(top_sizes, bottom.shape[2:], weight.shape[2:], **window):
        for n, c, o in np.ndindex(bottom.shape[0], channels, depth):
            output = c // (channels // groups) * depth + o
            top[(n, output, *at)] += weight[(c, o, *element)] * bottom[(n, c, *place)]
    return top + bias.reshape(-1, *[1] * len(top_sizes))
