"""The source of the WindowData layer: random windows of images (window_data_layer.cpp)."""

from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from caffe_compat.data.draws import Draws
from caffe_compat.data.regular_file import read_regular
from caffe_compat.data.sources.datums import decode_image
from caffe_compat.data.sources.source import Item, Source
from caffe_compat.data.sources.window_file import Window, WindowFile
from caffe_compat.data.window_warp import Warp, warp_window
from caffe_compat.errors import DataError


class Finish(NamedTuple):
    """The arithmetic of an item, (pixels - mean) * scale; the mean has the item's size or one number per channel."""

    mean: NDArray[np.float32]
    scale: float


class Windows(Source[bool]):
    """`batch_size` places: background places come first, then foreground places; each place draws a random window."""

    draws_per_item = 2

    def __init__(
        self,
        file: WindowFile,
        batch_size: int,
        foreground_count: int,
        warp: Warp,
        finish: Finish,
        mirror: bool,
        cache_images: bool,
        owner: str,
    ) -> None:
        self._heaps = {True: file.foreground, False: file.background}
        self._images = file.images
        self._batch_size, self._background_count = batch_size, batch_size - foreground_count
        self._warp = warp
        self._finish = finish
        self._mirror = mirror
        self._owner = owner
        # A photo has many windows, so caching its bytes saves reading it again.
        self._bytes = cache(read_regular) if cache_images else read_regular
        counts = {"background": self._background_count, "foreground": foreground_count}
        for name, count in counts.items():
            if count and not self._heaps[name == "foreground"]:
                raise DataError(f"{owner}: the window file has no {name} windows; change the thresholds or fg_fraction")

    def __len__(self) -> int:
        return self._batch_size

    def fetch(self, ordinals: Sequence[int]) -> list[bool]:
        """For each place, whether it takes a foreground window."""
        return [ordinal >= self._background_count for ordinal in ordinals]

    def load(self, record: bool, draws: Draws) -> Item:
        """A warped window with mean and scale applied; pixels outside of the image are 0."""
        heap = self._heaps[record]
        window = heap[draws.below(len(heap))]
        mirrored = self._mirror and draws.below(2) == 1
        return Item(self._item(window, mirrored), float(window.label))

    def _item(self, window: Window, mirrored: bool) -> NDArray[np.float32]:
        path = self._images[window.image].path
        image = decode_image(self._bytes(path, self._owner), cv2.IMREAD_COLOR, f"{self._owner}: '{path}'")
        pixels, top, left = warp_window(image, window, self._warp, mirrored, f"{self._owner}: '{path}'")
        size = self._warp.crop_size
        item = np.zeros((size, size, pixels.shape[2]), np.float32)
        place = (slice(top, top + pixels.shape[0]), slice(left, left + pixels.shape[1]))
        mean = np.broadcast_to(self._finish.mean, item.shape)
        item[place] = (pixels - mean[place]) * np.float32(self._finish.scale)
        return item
