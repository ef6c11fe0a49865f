"""Applies a function to many items in several processes. Results come in the order of the items, a few at a time."""

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from itertools import islice
from multiprocessing.connection import wait
from typing import TypeVar

import cv2

from caffe_compat.errors import DataError

Item = TypeVar("Item")
Result = TypeVar("Result")

CHUNK = 16  # items that a process takes at once
AHEAD = 3  # chunks per process that may be done before their turn


def in_order(
    function: Callable[[Item], Result], items: Iterable[Item], processes: int
) -> Generator[tuple[Item, Result], None, None]:
    """Each item with its result. With one process, no other is started; `close` ends the processes early.

    Raises DataError if a process dies.
    """
    if processes == 1:
        yield from ((item, function(item)) for item in items)
        return
    with _pool(processes) as pool:
        try:
            yield from _from_pool(pool, function, iter(items), AHEAD * processes)
        except BrokenProcessPool as error:
            raise DataError(
                f"one of {processes} processes was killed, most likely because memory was short; take fewer: the same "
                "command continues where this run stopped"
            ) from error


def _from_pool(
    pool: ProcessPoolExecutor, function: Callable[[Item], Result], items: Iterator[Item], ahead: int
) -> Iterator[tuple[Item, Result]]:
    waiting: deque[tuple[list[Item], Future[list[Result]]]] = deque()
    while True:
        while len(waiting) < ahead and (chunk := list(islice(items, CHUNK))):
            waiting.append((chunk, pool.submit(_each, function, chunk)))
        if not waiting:
            return
        chunk, future = waiting.popleft()
        yield from zip(chunk, future.result(), strict=True)


def _each(function: Callable[[Item], Result], chunk: list[Item]) -> list[Result]:
    return [function(item) for item in chunk]


@contextmanager
def _pool(processes: int) -> Iterator[ProcessPoolExecutor]:
    """A pool of fresh processes: OpenCV's threads do not survive a fork."""
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(processes, mp_context=context, initializer=_start_process)
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


def _start_process() -> None:
    cv2.setNumThreads(1)  # the processes are the threads
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to every process; the parent ends its children
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """End this process when its parent ends: a parent that is killed cannot end it, and no more work would come."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)
