"""Runs any number of items in batches of the net's size; the last batch is padded with zeros and cut afterwards."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from caffe_compat.errors import ShapeError

if TYPE_CHECKING:
    from caffe_compat.pycaffe.net import Net

Array = NDArray[Any]
Arrays = dict[str, Array]
Batch = dict[str, Any]  # arrays, to be handed on as named arguments


def forward_all(net: "Net", blobs: Sequence[str] | None, inputs: Arrays) -> Arrays:
    """Returns the outputs and `blobs` for all items; axis 0 has one entry per item."""
    count = _count(inputs)
    collected = _Collected()
    for batch in in_batches(inputs, batch_size(net)):
        collected.add(net.forward(blobs, **batch))
    return collected.arrays(count)


def forward_backward_all(
    net: "Net", blobs: Sequence[str] | None, diffs: Sequence[str] | None, arrays: Arrays
) -> tuple[Arrays, Arrays]:
    """Returns outputs and input gradients for all items; a direction without arrays uses the present blobs."""
    count, size = _count(arrays), batch_size(net)
    inputs = {name: array for name, array in arrays.items() if name in net.inputs}
    gradients = {name: array for name, array in arrays.items() if name not in net.inputs}
    values, slopes = _Collected(), _Collected()
    batch: Batch
    gradient: Batch
    for batch, gradient in zip_longest(in_batches(inputs, size), in_batches(gradients, size), fillvalue={}):
        values.add(net.forward(blobs, **batch))
        slopes.add(net.backward(diffs, **gradient))
    return values.arrays(count), slopes.arrays(count)


def in_batches(arrays: Mapping[str, Array], size: int) -> Iterator[Batch]:
    """Yields batches of `size` items of all arrays; the last batch is padded with zeros."""
    for first in range(0, _count(arrays) if arrays else 0, size):
        yield {name: _padded(array[first : first + size], size) for name, array in arrays.items()}


def batch_size(net: "Net") -> int:
    """Returns the net's batch size: axis 0 of its first blob."""
    return next(iter(net.blobs.values())).shape[0]


def _padded(items: Array, size: int) -> Array:
    if len(items) == size:
        return items
    return np.concatenate([items, np.zeros((size - len(items), *items.shape[1:]), items.dtype)])


def _count(arrays: Mapping[str, Array]) -> int:
    counts = {name: len(array) for name, array in arrays.items()}
    if len(set(counts.values())) != 1:
        raise ShapeError(f"expected arrays of one length, by name of blob, got {counts or 'none'}")
    return next(iter(counts.values()))


class _Collected:
    """Collects the arrays of batches by name."""

    def __init__(self) -> None:
        self._pieces: dict[str, list[Array]] = {}

    def add(self, batch: Arrays) -> None:
        for name, values in batch.items():
            self._pieces.setdefault(name, []).append(np.array(np.atleast_1d(values)))

    def arrays(self, count: int) -> Arrays:
        return {name: np.concatenate(pieces)[:count] for name, pieces in self._pieces.items()}
