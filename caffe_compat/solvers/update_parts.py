"""Cuts an update into parts that stay in a processor's cache while several operations work on them.

An update reads and writes every weight some ten times. Over whole tensors, each time goes to memory.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial

import torch
from torch import Tensor

from caffe_compat.solvers.update_rules.registry import Update

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
            yield from _cut(_chosen(update, [index]), size)
            continue
        if numbers + count > size:
            yield _chosen(update, waiting)
            waiting, numbers = [], 0
        waiting.append(index)
        numbers += count
    if waiting:
        yield _chosen(update, waiting)


def _chosen(update: Update, indices: Sequence[int]) -> Update:
    def of(tensors: list[Tensor]) -> list[Tensor]:
        return [tensors[index] for index in indices] if tensors else []

    return replace(
        _with_tensors(update, of),
        rates=[update.rates[index] for index in indices],
        decays=[update.decays[index] for index in indices],
    )


def _cut(update: Update, size: int) -> Iterator[Update]:
    """The parts of an update of one weight."""
    tensors = [*update.weights, *update.gradients, *update.history, *update.second_history]
    if not all(_is_dense(tensor) and tensor.stride() == tensors[0].stride() for tensor in tensors):
        yield update
        return
    for start in range(0, tensors[0].numel(), size):
        yield _with_tensors(update, partial(_pieces, start=start, stop=min(start + size, tensors[0].numel())))


def _with_tensors(update: Update, change: Callable[[list[Tensor]], list[Tensor]]) -> Update:
    return replace(
        update,
        weights=change(update.weights),
        gradients=change(update.gradients),
        history=change(update.history),
        second_history=change(update.second_history),
    )


def _is_dense(tensor: Tensor) -> bool:
    return tensor.is_contiguous() or (tensor.dim() == 4 and tensor.is_contiguous(memory_format=torch.channels_last))


def _pieces(tensors: list[Tensor], start: int, stop: int) -> list[Tensor]:
    """The numbers from `start` to `stop` of each tensor, in the order of its memory."""
    return [one.as_strided((stop - start,), (1,), one.storage_offset() + start) for one in tensors]
