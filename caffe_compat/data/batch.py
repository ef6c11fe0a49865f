"""Batches: an array into which worker threads write items, read ahead (base_data_layer.cpp), and its way to a device.

One thread finds records in order, and a pool of threads decodes and transforms them.
"""

import os
import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Lock
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from caffe_compat.data.draws import Box, Draws, DrawsByPlace, Order
from caffe_compat.data.sources.source import Source
from caffe_compat.data.transform import Arithmetic, Cut, Transform
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


def available_cores() -> int:
    """The number of processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Prefetcher:
    """Prepares batches of a source, `ahead` batches before their use.

    Threads start with the first batch and end with the object. Every image is checked against `arithmetic`. With
    `finish`, the workers also apply mean and scale, which is fastest on the CPU. Without `finish`, batches are bytes,
    and the GPU applies both.
    """

    def __init__(
        self,
        source: Source[Any],
        transform: Transform,
        order: Order,
        draws: DrawsByPlace,
        batch_size: int,
        ahead: int = 4,
        workers: int | None = None,
        arithmetic: Arithmetic | None = None,
    ) -> None:
        self._source = source
        self._transform = transform
        self._order = order
        self._draws = draws
        self._batch_size = batch_size
        self._ahead = ahead
        self._workers = workers or available_cores()
        self._arithmetic = arithmetic
        self.finish = False
        self.seconds_waited = 0.0  # total of all calls of `take`
        self._next = 0
        self._used: deque[NDArray[Any]] = deque()
        self._pending: deque[Future[tuple[Batch, list[Future[None]]]]] = deque()
        self._finder: ThreadPoolExecutor | None = None
        self._decoders: ThreadPoolExecutor | None = None

    def take(self) -> Batch:
        """The next batch; raises here the error that a worker met."""
        self._start()
        while len(self._pending) <= self._ahead:
            self._request(self._next + len(self._pending) * self._batch_size)
        started = time.perf_counter()
        batch, parts = self._pending.popleft().result()
        self._next += self._batch_size
        for part in parts:
            part.result()
        self.seconds_waited += time.perf_counter() - started
        return batch

    def give_back(self, batch: Batch) -> None:
        """Returns a batch whose pixels nothing reads any more; a later batch reuses its memory."""
        if batch.memory is not None:
            self._used.append(batch.memory)

    def state(self) -> dict[str, int]:
        """What later batches depend on: the position of the next item that `take` returns, the seeds and the skip."""
        return {
            "next": self._next,
            "seed": self._draws.seed,
            "order_seed": self._order.seed,
            "skip": self._order.skip,
        }

    def restore(self, state: dict[str, int]) -> None:
        """Continues from a `state()`."""
        self._forget()
        self._next = state["next"]
        self._draws.seed = state["seed"]
        self._order.seed, self._order.skip = state["order_seed"], state["skip"]

    def close(self) -> None:
        """Ends the threads and closes the source."""
        self._forget()
        for pool in (self._finder, self._decoders):
            if pool is not None:
                pool.shutdown(wait=True, cancel_futures=True)
        self._finder = self._decoders = None
        self._source.close()

    def _start(self) -> None:
        if self._finder is None:
            self._finder = ThreadPoolExecutor(1, "caffe-find")
            self._decoders = ThreadPoolExecutor(self._workers, "caffe-decode")

    def _request(self, first: int) -> None:
        if self._finder is not None:
            self._pending.append(self._finder.submit(self._find, first))

    def _forget(self) -> None:
        """Discards what was read ahead: cancels parts that have not begun, and waits for the others."""
        while self._pending:
            future = self._pending.popleft()
            if future.cancel() or future.exception() is not None:
                continue
            for part in future.result()[1]:
                if not part.cancel():
                    part.exception()

    def _find(self, first: int) -> tuple[Batch, list[Future[None]]]:
        records = self._source.fetch(self._order.ordinals(first, self._batch_size))
        draws = self._draws.batch(self._order.place(first), self._batch_size)
        batch = self._new_batch()
        # One part of successive items per worker; the division rounds up.
        share = -(-self._batch_size // self._workers)
        parts = [range(start, min(start + share, self._batch_size)) for start in range(0, self._batch_size, share)]
        pool = self._decoders
        return batch, [pool.submit(self._decode, batch, part, records, draws) for part in parts] if pool else []

    def _new_batch(self) -> Batch:
        memory = self._used.popleft() if self._used else None
        if self._arithmetic is None or not self.finish:
            return Batch(self._batch_size, self._transform.owner, memory)
        return FinishedBatch(self._batch_size, self._transform.owner, self._arithmetic, memory)

    def _decode(self, batch: Batch, numbers: range, records: Sequence[Any], draws: Sequence[Draws]) -> None:
        for number in numbers:
            pixels, label = self._source.load(records[number], draws[number])
            height, width, channels = pixels.shape
            if self._arithmetic is not None:
                self._arithmetic.check(channels, height, width)
            shape = (*self._transform.item_size(height, width), channels)
            cut = self._transform.cut(height, width, draws[number])
            item = batch.item(number, shape, pixels)
            self._transform.apply(pixels, cut, item)
            batch.put(number, item, cut, label)


def upload(values: NDArray[Any], device: torch.device) -> Tensor:
    """The array as a tensor on the device.

    To a GPU, the copy runs in the background from memory of its own, so the caller may overwrite the array at once. On
    the CPU, the tensor shares the array's memory.
    """
    host = torch.from_numpy(values)
    return host.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else host.to(device)
