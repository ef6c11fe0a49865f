"""Plain loops for what slides a window."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from tests.layers.harness import Array

Places = Iterator[tuple[Any, Any, Any]]  # tuples of integers, which are indices of any array


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
    bottom: Array, blobs: list[Array], top_sizes: tuple[int, ...], groups: int, **window: tuple[int, ...]
) -> Array:
    """(N, C, *spatial) from a weight (out, C / groups, *kernel) and a bias or none."""
    weight, *biases = blobs
    outputs, depth = weight.shape[:2]
    top = np.zeros((bottom.shape[0], outputs, *top_sizes))
    for place, element, at in window_places(bottom.shape[2:], top_sizes, weight.shape[2:], **window):
        for n, o, c in np.ndindex(bottom.shape[0], outputs, depth):
            channel = o // (outputs // groups) * depth + c
            top[(n, o, *place)] += weight[(o, c, *element)] * bottom[(n, channel, *at)]
    return sum((bias.reshape(-1, *[1] * len(top_sizes)) for bias in biases), top)


def deconvolve(
    bottom: Array, blobs: list[Array], top_sizes: tuple[int, ...], groups: int, **window: tuple[int, ...]
) -> Array:
    """(N, C, *spatial) from a weight (C, out / groups, *kernel) and a bias."""
    weight, bias = blobs
    channels, depth = weight.shape[:2]
    top: Array = np.zeros((bottom.shape[0], depth * groups, *top_sizes))
    for place, element, at in window_places(top_sizes, bottom.shape[2:], weight.shape[2:], **window):
        for n, c, o in np.ndindex(bottom.shape[0], channels, depth):
            output = c // (channels // groups) * depth + o
            top[(n, output, *at)] += weight[(c, o, *element)] * bottom[(n, c, *place)]
    top += bias.reshape(-1, *[1] * len(top_sizes))
    return top
