"""A batch under way: one array that workers write their items into."""

from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from caffe_compat.data.crops import Box
from caffe_compat.data.transform import Cut
from caffe_compat.errors import DataError

Pixels = NDArray[Any]
_NOT_YET = Cut(Box(0, 0, 0, 0), mirrored=False)


class Batch:
    """`size` items: pixels of one size, labels, and where each was cut from its image.

    `memory` of an earlier batch is used again where it fits: fresh pages cost a tenth of the decoding.
    """

    def __init__(self, size: int, owner: str, memory: Pixels | None = None) -> None:
        self.size = size
        self._owner = owner
        self._used_before = memory
        self._memory: Pixels | None = None
        self._channels_first = False
        self._allocation = Lock()
        self.labels: list[Any] = [0.0] * size
        self.cuts: list[Cut] = [_NOT_YET] * size

    def item(self, number: int, shape: tuple[int, int, int], like: Pixels) -> Pixels:
        """The place of an item, (height, width, channels), in the type and memory order of the pixels it is cut from.

        The first item to arrive decides the size for all, as the first of a batch does in Caffe.
        """
        with self._allocation:
            if self._memory is None:
                self._allocate(shape, like)
        place: Pixels = self.pixels[number].transpose(1, 2, 0)
        if place.shape != shape:
            raise DataError(
                f"{self._owner}: images of one batch must have one size, found (height, width, channels) "
                f"{shape} beside {place.shape}; set crop_size, resize the images, or take batch_size 1"
            )
        return place

    def _allocate(self, shape: tuple[int, int, int], like: Pixels) -> None:
        height, width, channels = shape
        self._channels_first = like.strides[2] > like.strides[1]
        wanted = (self.size, *((channels, height, width) if self._channels_first else shape))
        used = self._used_before
        fits = used is not None and used.shape == wanted and used.dtype == like.dtype
        self._memory = used if fits else np.empty(wanted, like.dtype)

    @property
    def memory(self) -> Pixels | None:
        """What the next batch may use again."""
        return self._memory

    @property
    def pixels(self) -> Pixels:
        """(num, channels, height, width), in whatever memory order the items came."""
        if self._memory is None:
            raise DataError(f"{self._owner}: the batch is empty")
        return self._memory if self._channels_first else self._memory.transpose(0, 3, 1, 2)

    @property
    def label_array(self) -> NDArray[np.float32]:
        """(num,) or (num, labels)."""
        return np.asarray(self.labels, np.float32)
