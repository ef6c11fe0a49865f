"""Reads ahead: one thread finds records in order, and a pool decodes and transforms them (base_data_layer.cpp).

Batches do not depend on the number of workers. Order and random numbers are functions of an item's position, and each
worker writes to its own part of the batch. cv2 decodes and resizes without Python's global lock, so threads use all
cores.
"""

import os
import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from numpy.typing import NDArray

from caffe_compat.data.arithmetic import Arithmetic
from caffe_compat.data.batch import Batch, FinishedBatch
from caffe_compat.data.draws import Draws, DrawsByPlace
from caffe_compat.data.order import Order
from caffe_compat.data.sources.source import Source
from caffe_compat.data.transform import Transform


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
