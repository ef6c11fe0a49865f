"""What a page shows of weights: histograms, and the filters of a first convolution as a picture."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from caffe_compat.layers.base import Shape
from caffe_compat.proto.blobs import Blob

BINS = 48
#: Filters of more pixels than this are no picture that one can see something in.
LARGEST_FILTER = 32
#: Channels that a filter can have to be shown as a picture: grey or colour.
PICTURE_CHANNELS = (1, 3)

Numbers = NDArray[np.float32]


@dataclass(frozen=True)
class BlobFacts:
    """A blob's shape, its range, and how many of its values lie in each of equal parts of that range."""

    shape: Shape
    least: float
    most: float
    mean: float
    deviation: float
    counts: Sequence[int]


def blob_facts(blob: Blob) -> BlobFacts:
    """The facts of one blob; values that are not finite are left out of the histogram and show as NaN in the mean."""
    values = np.asarray(blob, dtype=np.float32).ravel()
    finite = values[np.isfinite(values)]
    counts = np.histogram(finite, BINS)[0].tolist() if finite.size else [0] * BINS
    least, most = (float(finite.min()), float(finite.max())) if finite.size else (math.nan, math.nan)
    with np.errstate(invalid="ignore"):
        return BlobFacts(tuple(blob.shape), least, most, float(values.mean()), float(values.std()), counts)


def first_filters(blobs: Mapping[str, Sequence[Blob]]) -> dict[str, bytes]:
    """PNG pictures, by layer name, of convolutions whose filters have the channels of an image."""
    return {name: filters_png(np.asarray(own[0], dtype=np.float32)) for name, own in blobs.items() if _is_visible(own)}


def filters_png(weight: Numbers) -> bytes:
    """Filters (count, 1 or 3, height, width) side by side; grey is 0, and each filter has a scale of its own."""
    count, _, height, width = weight.shape
    columns = math.ceil(math.sqrt(count))
    rows = math.ceil(count / columns)
    sheet = np.full((rows * (height + 1) + 1, columns * (width + 1) + 1, weight.shape[1]), 128, np.uint8)
    for number, one in enumerate(weight):
        top, left = 1 + (number // columns) * (height + 1), 1 + (number % columns) * (width + 1)
        scale = 127 / max(float(np.abs(np.nan_to_num(one)).max()), 1e-12)
        sheet[top : top + height, left : left + width] = (128 + scale * np.nan_to_num(one).transpose(1, 2, 0)).astype(
            np.uint8
        )
    return cv2.imencode(".png", sheet)[1].tobytes()


def _is_visible(blobs: Sequence[Blob]) -> bool:
    if not blobs or len(blobs[0].shape) != 4:
        return False
    _, channels, height, width = blobs[0].shape
    return channels in PICTURE_CHANNELS and min(height, width) >= 3 and max(height, width) <= LARGEST_FILTER
