"""Cuts an update into parts that stay in a processor's cache while several operations work on them.

An update reads and writes every weight some ten times. Over whole tensors, each time goes to memory.
"""

from collections.abc import Iterator
from functools import partial

import torch
from torch import Tensor

from caffe_compat.solvers.update_rules.registry import Update, numbers_of

#: Numbers of one tensor for each thread: 256 KiB each of gradient, weight and history fit into a second-level cache.
PART = 2**16


def parts(update: Update, size: int | None = None) -> Iterator[Update]:
    """Yields updates of at most `size` numbers (PART for each of torch's threads) that together make up this one.

    Tensors are cut where all of a weight's tensors lie in memory in the same order; others stay whole. Update rules
    compute number by number, so the cuts change no result.
    """
    size = size or PART * torch.get_num_threads()
    waiting: list[int] = []  # small weights, which go together
    numbers = 0
    for index, weight in enumerate(update.weights):
        count = weight.numel()
        if count > size:
            yield from _cut(update.of([index]), size)
            continue
        if numbers + count > size:
            yield update.of(waiting)
            waiting, numbers = [], 0
        waiting.append(index)
        numbers += count
    if waiting:
        yield update.of(waiting)


def _cut(update: Update, size: int) -> Iterator[Update]:
    """The parts of an update of one weight."""
    if not update.lies_alike(0):
        yield update
        return
    count = update.weights[0].numel()
    for start in range(0, count, size):
        yield update.with_tensors(partial(_pieces, start=start, stop=min(start + size, count)))


def _pieces(tensors: list[Tensor], start: int, stop: int) -> list[Tensor]:
    """The numbers from `start` to `stop` of each tensor, in the order of its memory."""
    return [numbers_of(one)[start:stop] for one in tensors]
