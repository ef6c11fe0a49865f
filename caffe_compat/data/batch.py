"""A batch under construction: an array into which worker threads write their items."""

from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from caffe_compat.data.arithmetic import Arithmetic
from caffe_compat.data.crops import Box
from caffe_compat.data.transform import Cut
from caffe_compat.errors import DataError

Pixels = NDArray[Any]
_NOT_YET = Cut(Box(0, 0, 0, 0), mirrored=False)


class Batch:
    """`size` items: pixels, all of the same size, labels, and where each item was cut from its image.

    `memory` of an earlier batch is reused if its shape fits: new memory pages cost a tenth of the decoding time.
    """

    #: Whether mean and scale are applied already.
    finished = False

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
        """The array (height, width, channels) for an item, with the type and memory order of `like`.

        The first item to arrive determines the size of all items, as the first item of a batch does in Caffe.
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

    def put(self, number: int, item: Pixels, cut: Cut, label: Any) -> None:
        """Stores the cut and the label of an item, after its pixels have been written."""
        self.labels[number] = label
        self.cuts[number] = cut

    def _allocate(self, shape: tuple[int, int, int], like: Pixels) -> None:
        height, width, channels = shape
        self._channels_first = like.strides[2] > like.strides[1]
        self._take_memory((channels, height, width) if self._channels_first else shape, like.dtype)

    def _take_memory(self, shape: tuple[int, int, int], kind: Any) -> None:
        wanted = (self.size, *shape)
        used = self._used_before
        fits = used is not None and used.shape == wanted and used.dtype == kind
        self._memory = used if fits else np.empty(wanted, kind)

    @property
    def memory(self) -> Pixels | None:
        """Memory that a later batch can reuse; None before the first item."""
        return self._memory

    @property
    def pixels(self) -> Pixels:
        """All items (num, channels, height, width), in the memory order of the first item."""
        if self._memory is None:
            raise DataError(f"{self._owner}: the batch is empty")
        return self._memory if self._channels_first else self._memory.transpose(0, 3, 1, 2)

    @property
    def label_array(self) -> NDArray[np.float32]:
        """The labels as float32, (num,) or (num, labels)."""
        return np.asarray(self.labels, np.float32)


class FinishedBatch(Batch):
    """A batch for the CPU, float32 with channels first; the thread that makes an item applies mean and scale."""

    finished = True

    def __init__(self, size: int, owner: str, arithmetic: Arithmetic, memory: Pixels | None = None) -> None:
        super().__init__(size, owner, memory)
        self._arithmetic = arithmetic

    def item(self, number: int, shape: tuple[int, int, int], like: Pixels) -> Pixels:
        """An array of this thread for the item; `put` computes the batch's values from this array."""
        super().item(number, shape, like)
        return self._arithmetic.memory_for_item(shape, like)

    def put(self, number: int, item: Pixels, cut: Cut, label: Any) -> None:
        super().put(number, item, cut, label)
        self._arithmetic.take(item, cut, self.pixels[number])

    def _allocate(self, shape: tuple[int, int, int], like: Pixels) -> None:
        height, width, channels = shape
        self._channels_first = True
        self._take_memory((channels, height, width), np.dtype(np.float32))
